#!/usr/bin/env bash
# Makes the sample that the project carries: generated trips, some of them twice, and lines that
# are wrong in the ways that real files are.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$root"
cargo run --quiet --release --package trips_datagen -- samples/trips_sample.csv \
  rows=3000 seed=20180501 regions=5 days=61
# shellcheck disable=SC1004
awk -v OFS='\n' '
  NR == 101  { print "Prague,POINT (14.43 50.08),POINT (14.48 50.05),05/06/2018,funny_car" }
  NR == 502  { print "Turin,POINT (45.07 107.68),POINT (7.70 45.05),2018-05-09 08:12:44,baba_car" }
  NR == 903  { print ",POINT (10.01 53.55),POINT (9.97 53.57),2018-05-21 17:30:00,cheap_mobile" }
  NR == 1204 { print "Hamburg,POINT (10.01 53.55),POINT (9.97 53.57),2018-06-31 17:30:00,cheap_mobile" }
  NR == 1505 { print "Lyon,POINT (4.84 45.76),2018-06-02 09:00:00,pt_search_app" }
  NR == 1806 { print "Porto,POINT (-8.61 NaN),POINT (-8.60 41.16),2018-06-02 09:00:00,funny_car" }
  NR == 2107 { print "Lyon \"Part-Dieu\",POINT (4.86 45.76),POINT (4.83 45.74),2018-06-05 07:55:10,baba_car" }
  NR == 2408 { print "Turin,POINT (7.68 45.07),POINT (7.70 45.05),now,baba_car" }
  { print }
  NR % 500 == 250 { print }
' samples/trips_sample.csv > samples/.new && mv samples/.new samples/trips_sample.csv
