//! Details of the files that publishers really have. The rows are invented.

use std::collections::BTreeMap;

use trips_core::check::constraints::{Constraints, ZeroCoordinates};
use trips_core::feed::choice::FeedChoice;
use trips_core::feed::plan::Plan;
use trips_core::format::delimited::header::{HeaderError, read_header};
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::delimited::trip_reader::TripReader;
use trips_core::format::parser::{Parser, Target};
use trips_core::key::TripKey;
use trips_core::wire::jsonb::DetailsForm;

const MAX_RECORD: usize = 1 << 16;

/// What a file gives.
#[derive(Debug, Default)]
struct Read {
    feed: String,
    not_stored: Vec<String>,
    trips: BTreeMap<u64, Trip>,
    /// SQLSTATEs of the rejected records, by their lines.
    rejected: BTreeMap<u64, &'static str>,
}

#[derive(Debug, PartialEq)]
struct Trip {
    key: TripKey,
    region: String,
    time: String,
    origin: Option<(f64, f64)>,
    destination: Option<(f64, f64)>,
    /// The tail, which has the JSON of the details at its end.
    tail: String,
}

impl Read {
    fn lines(&self) -> Vec<u64> {
        self.trips.keys().copied().collect()
    }

    fn keys(&self) -> Vec<TripKey> {
        self.trips.values().map(|trip| trip.key).collect()
    }

    fn rejected(&self) -> Vec<(u64, &'static str)> {
        self.rejected.iter().map(|(line, state)| (*line, *state)).collect()
    }
}

fn constraints() -> Constraints {
    Constraints::new("1900-01-01", "2099-12-31", ZeroCoordinates::Warn).expect("dates")
}

fn plan_of(file: &[u8]) -> Result<(Plan, RecordReader<&[u8]>), HeaderError> {
    let mut reader = RecordReader::new(file, MAX_RECORD);
    let plan = read_header(&FeedChoice::builtin(), &mut reader, MAX_RECORD)?;
    Ok((plan, reader))
}

/// Reads a file record by record. Reading it in chunks must have the same numbers of trips and rejected records.
fn read(file: impl AsRef<[u8]>) -> Read {
    let file = file.as_ref();
    let (plan, mut reader) = plan_of(file).expect("a header");
    let mut read = Read {
        feed: plan.feed_name().to_owned(),
        not_stored: plan.not_stored().to_vec(),
        ..Read::default()
    };
    let constraints = constraints();
    let mut trips = TripReader::new(plan, DetailsForm::Text);
    while let Some(record) = reader.next_record().expect("memory can be read") {
        match trips.read(&record, &constraints) {
            Ok(found) => {
                let point =
                    |point: trips_core::model::point::Point| (point.longitude, point.latitude);
                let trip = Trip {
                    key: found.identity.base_key(&found.trip),
                    region: found.trip.region.to_owned(),
                    time: found.trip.date_time.full_text(),
                    origin: found.trip.origin.map(point),
                    destination: found.trip.destination.map(point),
                    tail: String::from_utf8_lossy(found.tail).into_owned(),
                };
                read.trips.insert(record.line, trip);
            }
            Err(rejection) => {
                read.rejected.insert(record.line, rejection.state.code());
            }
        }
    }
    let in_chunks = (read.trips.len(), read.rejected.len());
    for size in [1 << 20, 200] {
        assert_eq!(count_in_chunks(file, size), in_chunks, "in chunks of {size} bytes");
    }
    read
}

fn count_in_chunks(file: &[u8], size: usize) -> (usize, usize) {
    let (plan, mut reader) = plan_of(file).expect("a header");
    let (target, constraints, max_record) = (Target::History, constraints(), MAX_RECORD);
    let parser =
        Parser { plan, target, load_id: 1, max_record, constraints, keeps_grid_points: false };
    let mut header = parser.first_header();
    let (mut trips, mut rejected) = (0, 0);
    while let Some(chunk) = reader.next_chunk(size, 0).expect("memory can be read") {
        let parsed = parser.parse_next(chunk, &mut header).expect("memory");
        trips += parsed.block.len();
        rejected += usize::try_from(parsed.bad_lines).expect("a few");
    }
    (trips, rejected)
}

const LYFT: &str = "ride_id,rideable_type,started_at,ended_at,start_station_name,start_station_id,end_station_name,\
    end_station_id,start_lat,start_lng,end_lat,end_lng,member_casual";
const RIDE: &str = "A000000000000001,classic_bike,2024-08-03 09:00:00,2024-08-03 09:12:00,Elm St,5379.10,Oak Pl,6584.12,\
    40.7191,-73.9896,40.7305,-73.9867,member";
const OTHER_RIDE: &str = "A000000000000002,classic_bike,2024-08-03 10:00:00,2024-08-03 10:30:00,Elm St,5379.10,Oak Pl,\
    6584.12,40.7191,-73.9896,40.7305,-73.9867,casual";

fn lyft(rows: &[&str]) -> String {
    format!("{LYFT}\n{}\n", rows.join("\n"))
}

fn ride_keys() -> Vec<TripKey> {
    read(lyft(&[RIDE, OTHER_RIDE])).keys()
}

/// A file with one column more, before or after the others.
fn with_column(name: &str, value: &str, is_first: bool) -> String {
    let lines = [(LYFT, name), (RIDE, value), (OTHER_RIDE, value)];
    let line = |(line, more): (&str, &str)| match is_first {
        true => format!("{more},{line}\n"),
        false => format!("{line},{more}\n"),
    };
    lines.into_iter().map(line).collect()
}

#[test]
fn nameless_and_doubled_columns_are_passed_over() {
    for (name, value) in [
        ("", "7"),
        (" ", ""),
        ("\"\"", "\"7\""),
        ("Unnamed: 0", "7"),
        ("__index_level_0__", "7"),
        ("rideable_type_duplicate_column_name_1", "classic_bike"),
    ] {
        for is_first in [false, true] {
            let found = read(with_column(name, value, is_first));
            assert_eq!((found.feed.as_str(), found.keys()), ("lyft", ride_keys()), "{name:?}");
            assert_eq!(found.not_stored, Vec::<String>::new(), "{name:?}");
        }
    }
    let found = read(with_column("Bike Model", "\"E-fit, 2\"", false));
    assert_eq!(found.keys(), ride_keys());
    assert_eq!(found.not_stored, ["\"Bike Model\""]);
    assert!(!found.trips[&2].tail.contains("E-fit"), "it is not stored");
}

#[test]
fn two_nameless_columns_and_a_doubled_name() {
    let nameless = with_column("", "1", true);
    let twice: String = nameless.lines().map(|line| format!("{line},\n")).collect();
    assert_eq!(read(twice).keys(), ride_keys());
    let doubled = with_column("RIDE_ID", "x", false);
    let error = plan_of(doubled.as_bytes()).map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid header: column ride_id appears twice, as columns 1 and 14"
    );
    // Ecobici has one file so: the first time that is not NULL counts.
    let ecobici = "Genero_Usuario,Edad_Usuario,Bici,Ciclo_Estacion_Retiro,Fecha_Retiro,Hora_Retiro,Hora_Retiro,\
        Ciclo_Estacion_Arribo,Fecha_Arribo,Hora_Arribo\n\
        M,28,69,85,31/03/2019,10:00:31,NULL,69,31/03/2019,10:12:01\n\
        M,28,69,85,31/03/2019,NULL,10:00:31,69,31/03/2019,10:12:01\n";
    let found = read(ecobici);
    assert_eq!(found.lines(), [2, 3]);
    assert_eq!(found.trips[&2], found.trips[&3]);
}

#[test]
fn names_may_have_blanks_and_marks() {
    let names: Vec<String> =
        LYFT.split(',').map(|name| format!(" {} ", name.to_uppercase())).collect();
    let header = format!("\u{feff}{}", names.join(","));
    assert_eq!(read(format!("{header}\n{RIDE}\n{OTHER_RIDE}")).keys(), ride_keys());
    let quoted: Vec<String> = LYFT.split(',').map(|name| format!("\"{name} \"")).collect();
    let header = format!("\u{feff}{}", quoted.join(","));
    assert_eq!(read(format!("{header}\r\n{RIDE}\r\n{OTHER_RIDE}\r\n")).keys(), ride_keys());
    let chicago = "Trip ID,Taxi ID,Trip Start Timestamp,Trip End Timestamp,Trip Seconds,Trip Miles,Pickup Census Tract,\
        Dropoff Census Tract,Pickup Community Area,Dropoff Community Area,Fare,Tips,Tolls,Extras,Trip Total,\
        Payment Type,Company,Pickup Centroid Latitude,Pickup Centroid Longitude,Pickup Centroid Location,\
        Dropoff Centroid Latitude,Dropoff Centroid Longitude,Dropoff Centroid  Location\n\
        a1,t1,01/15/2020 11:45:00 PM,01/16/2020 12:00:00 AM,\"1,260\",2.5,,,8,32,$8.65,$0.00,$0,$1.00,\"$1,009.65\",\
        Cash,Cab,41.899,-87.633,POINT (-87.633 41.899),41.88,-87.62,POINT (-87.62 41.88)\n";
    let found = read(chicago);
    assert_eq!(found.trips[&2].time, "2020-01-15 23:45:00");
    assert!(found.trips[&2].tail.contains("1260"), "{}", found.trips[&2].tail);
    assert!(found.trips[&2].tail.contains("1009.65"), "{}", found.trips[&2].tail);
}

#[test]
fn blank_lines_are_no_records() {
    for blank in ["\n", "\r\n", "  \n", "\n\n \t\r\n"] {
        let file = format!("{LYFT}\n{blank}{RIDE}\n{blank}{OTHER_RIDE}\n{blank}");
        let found = read(&file);
        assert_eq!(found.keys(), ride_keys(), "{blank:?}");
        let lines = u64::try_from(blank.matches('\n').count()).unwrap();
        assert_eq!(found.lines(), [2 + lines, 3 + 2 * lines], "lines count");
        assert_eq!(found.rejected(), []);
    }
}

#[test]
fn line_ends_may_be_mixed() {
    for (a, b, c) in
        [("\n", "\r\n", ""), ("\r\n", "\n", "\n"), ("\r", "\n", "\r\n"), ("\r\n", "\r", "\r")]
    {
        let found = read(format!("{LYFT}{a}{RIDE}{b}{OTHER_RIDE}{c}"));
        assert_eq!((found.keys(), found.lines()), (ride_keys(), vec![2, 3]), "{a:?} {b:?} {c:?}");
    }
    // A line end inside quotes is a part of the name.
    let broken = RIDE.replace("Elm St", "\"Elm\r\nSt\"");
    let found = read(lyft(&[&broken, OTHER_RIDE]));
    assert_eq!((found.keys(), found.lines()), (ride_keys(), vec![2, 4]));
}

const GREEN: &str = "VendorID,lpep_pickup_datetime,Lpep_dropoff_datetime,Store_and_fwd_flag,RateCodeID,Pickup_longitude,\
    Pickup_latitude,Dropoff_longitude,Dropoff_latitude,Passenger_count,Trip_distance,Fare_amount,Extra,MTA_tax,\
    Tip_amount,Tolls_amount,Ehail_fee,Total_amount,Payment_type,Trip_type ";
const GREEN_ROW: &str = "2,2013-09-01 00:02:00,2013-09-01 00:54:51,N,1,-73.952407836914062,40.810726165771484,\
    -73.983940124511719,40.676284790039062,5,14.35,50.5,0.5,0.5,10.3,0,,61.8,1,";

#[test]
fn fields_beyond_the_header_may_be_empty() {
    let file = |more: &str| format!("{GREEN}\r\n\r\n{GREEN_ROW}{more}\r\n");
    let expected = read(file("")).keys();
    for more in [",", ",,", ",\"\"", ", ,"] {
        let found = read(file(more));
        assert_eq!(
            (found.feed.as_str(), found.keys()),
            ("tlc_green", expected.clone()),
            "{more:?}"
        );
    }
    for more in [",,x", ",0"] {
        assert_eq!(read(file(more)).rejected(), [(3, "22P04")], "{more:?}");
    }
    // Another feed does not allow them.
    assert_eq!(read(lyft(&[&format!("{RIDE},"), OTHER_RIDE])).rejected(), [(2, "22P04")]);
}

#[test]
fn a_record_that_is_cut_in_the_middle_is_staged() {
    let file = lyft(&[RIDE, OTHER_RIDE]);
    let whole = file.len() - 1;
    let last = file.trim_end().rfind('\n').unwrap() + 1;
    let begin_of_last_field = file.trim_end().rfind(',').unwrap() + 1;
    for end in last + 1..begin_of_last_field {
        let found = read(&file[..end]);
        assert_eq!(found.lines(), [2], "{end}");
        assert_eq!(found.rejected(), [(3, "22P04")], "{end}");
    }
    assert_eq!(read(&file[..whole]).keys(), ride_keys(), "only the line end is missing");
    // With quotes around all fields, a cut is found anywhere but before the last field: that may be empty.
    let quoted: Vec<String> = RIDE.split(',').map(|field| format!("\"{field}\"")).collect();
    let quoted = quoted.join(",");
    let before_last_field = quoted.rfind(',').unwrap() + 1;
    for end in (1..quoted.len()).filter(|end| *end != before_last_field) {
        let found = read(lyft(&[RIDE, &quoted[..end]]).trim_end());
        assert_eq!((found.lines(), found.rejected()), (vec![2], vec![(3, "22P04")]), "{end}");
    }
}

#[test]
fn words_of_the_feed_are_null() {
    for word in ["NULL", "\\N", "\"NULL\"", " NULL ", "", "\"\""] {
        let row = RIDE.replace(
            ",6584.12,40.7191,-73.9896,40.7305,-73.9867,",
            &format!(",{word},40.7191,-73.9896,{word},{word},"),
        );
        let found = read(lyft(&[&row]));
        let trip = &found.trips[&2];
        assert_eq!((trip.origin, trip.destination), (Some((-73.9896, 40.7191)), None), "{word:?}");
        assert!(!trip.tail.contains("end_station_id"), "{}", trip.tail);
        let row = RIDE.replace("2024-08-03 09:00:00", word);
        assert_eq!(read(lyft(&[&row])).rejected(), [(2, "23502")], "{word:?}");
        let row = RIDE.replace("A000000000000001", word);
        assert_eq!(read(lyft(&[&row])).rejected(), [(2, "23502")], "{word:?}");
    }
    let row = RIDE.replace("Oak Pl", "null");
    assert!(read(lyft(&[&row])).trips[&2].tail.contains("null"), "it is a name here");
}

#[test]
fn equal_records_have_one_key() {
    let found = read(lyft(&[RIDE, RIDE, OTHER_RIDE]));
    assert_eq!((found.lines(), found.trips[&2].key), (vec![2, 3, 4], found.trips[&3].key));
    let found = read(format!("{GREEN}\n{GREEN_ROW}\n{GREEN_ROW}\n"));
    assert_eq!(found.trips[&2].key, found.trips[&3].key, "the sort gives them numbers");
    // The same id with another time, as Divvy has it in two months.
    let later = RIDE.replace("09:00:00", "09:00:00.123");
    assert_eq!(read(lyft(&[&later])).trips[&2].key, ride_keys()[0]);
}

#[test]
fn trips_of_other_months_are_read() {
    let row = |year: &str| GREEN_ROW.replace("2013-09-01", year);
    let rows: Vec<String> =
        ["2001-01-01", "2008-12-31", "2013-09-30", "2041-11-15"].map(row).to_vec();
    let found = read(format!("{GREEN}\n{}\n", rows.join("\n")));
    let years: Vec<&str> = found.trips.values().map(|trip| &trip.time[..4]).collect();
    assert_eq!(years, ["2001", "2008", "2013", "2041"]);
}

#[test]
fn station_ids_that_went_through_a_number() {
    let row = RIDE.replace("5379.10", "5379.1").replace("6584.12", "3186.0");
    let other = RIDE.replace("6584.12", "3186");
    let found = read(lyft(&[&row, &other]));
    assert_eq!(found.trips[&2], found.trips[&3]);
    assert!(found.trips[&2].tail.contains("5379.10"), "{}", found.trips[&2].tail);
}

#[test]
fn clocks_that_change_and_places_that_are_not_known() {
    let rows = [
        RIDE.replace(
            "2024-08-03 09:00:00,2024-08-03 09:12:00",
            "2021-11-07 01:52:10,2021-11-07 01:07:30",
        ),
        RIDE.replace(
            "2024-08-03 09:00:00,2024-08-03 09:12:00",
            "2022-03-13 02:15:00,2022-03-13 02:20:00",
        ),
        RIDE.replace("2024-08-03 09:12:00", ""),
        RIDE.replace("40.7305,-73.9867", "0.0,0.0"),
        RIDE.replace("40.7305,-73.9867", "-73.9867,40.7305"),
        RIDE.replace("40.7305,-73.9867", "40.7305,73.9867"),
    ];
    let found = read(lyft(&rows.each_ref().map(String::as_str)));
    assert_eq!(found.lines(), [2, 3, 4, 5]);
    assert_eq!(found.trips[&2].time, "2021-11-07 01:52:10");
    assert_eq!(found.trips[&3].time, "2022-03-13 02:15:00");
    assert_eq!(found.trips[&5].destination, None);
    assert_eq!(found.rejected(), [(6, "22003"), (7, "22003")]);
}

/// Everything is quoted but NULL, in windows-1252.
#[test]
fn records_in_windows_1252() {
    let header =
        b"\"Viaje_Id\",\"Usuario_Id\",\"Genero\",\"A\xf1o_de_nacimiento\",\"Inicio_del_viaje\",\
        \"Fin_del_viaje\",\"Origen_Id\",\"Destino_Id\"\r\n";
    let row = |id: &str, origin: &[u8]| {
        let begin =
            format!("\"{id}\",\"7\",NULL,NULL,\"2021-06-01 00:01:10\",\"2021-06-01 00:09:40\",\"");
        [begin.as_bytes(), origin, b"\",NULL\r\n"].concat()
    };
    let rows = [
        row("1", b"35"),
        row("2", b"Ni\xf1os"),
        row("3", "Niños".as_bytes()),
        // No character of windows-1252.
        row("4", b"Ni\x81os"),
    ];
    let found = read([&header[..], &rows.concat()].concat());
    assert_eq!((found.feed.as_str(), found.lines()), ("mibici", vec![2, 3, 4]));
    assert!(found.trips[&3].tail.contains("Niños") && found.trips[&4].tail.contains("Niños"));
    assert_eq!(found.rejected(), [(5, "22021")]);
}

/// The separator of one month, with decimal commas: never a coordinate of 37.
#[test]
fn a_month_with_semicolons() {
    let header = "duration_sec,start_time,end_time,start_station_id,start_station_name,start_station_latitude,\
        start_station_longitude,end_station_id,end_station_name,end_station_latitude,end_station_longitude,bike_id,\
        user_type,bike_share_for_all_trip,";
    let row = "305,2019-07-31 08:00:00.1230,2019-07-31 08:05:05.9990,901,Bay St,37.7899,-122.3941,902,Hill St,37.7760,\
        -122.4183,99003,Subscriber,Yes,";
    let by_commas = read(format!("{header}\n{row}clipper\n{row}\n"));
    let semicolons = |text: &str| text.replace(',', ";").replace('.', ",");
    let row = semicolons(row).replace(":00,1230", ":00.1230").replace(":05,9990", ":05.9990");
    let by_semicolons = read(format!("{}\n{row}clipper\n{row}\n", semicolons(header)));
    assert_eq!(by_commas.trips, by_semicolons.trips);
    assert_eq!(by_commas.trips[&2].origin, Some((-122.3941, 37.7899)));
    // Commas between fields and in numbers: no record has the right number of fields.
    let mixed = row.replace(';', ",");
    assert_eq!(read(format!("{header}\n{mixed}\n")).rejected(), [(2, "22P04")]);
}

#[test]
fn a_file_of_two_files() {
    let file = format!("{}\u{feff}{}", lyft(&[RIDE]), lyft(&[OTHER_RIDE]));
    let (trips, rejected) = count_in_chunks(file.as_bytes(), 1 << 20);
    assert_eq!((trips, rejected), (2, 1), "the second header is no trip");
}
