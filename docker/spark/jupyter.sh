#!/bin/sh
# JupyterLab in the volume of the notebooks, with the example if it is not there.
set -eu
[ -e trips.ipynb ] || cp /opt/trips/trips.ipynb .
exec jupyter lab --ip=0.0.0.0 --port=9999 --no-browser
