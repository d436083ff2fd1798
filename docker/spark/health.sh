#!/usr/bin/env bash
# health.sh HOST PORT PATH: healthy when the page is there. In bash: it runs every few seconds.
set -eu
exec 3<> "/dev/tcp/$1/$2"
printf 'GET %s HTTP/1.0\r\nHost: %s\r\n\r\n' "$3" "$1" >&3
read -r -t 4 status <&3
[[ $status == *' 200 '* ]]
