//! Station files of feeds, with invented stations.

use proptest::prelude::*;

use super::*;
use crate::feed::definition::BoundingBox;
use crate::feed::value::Nulls;
use crate::model::decimal::DecimalMark;
use crate::model::point::Point;

const COMMA: Dialect = Dialect { delimiter: b',', decimal: DecimalMark::Point };
const SEMICOLON: Dialect = Dialect { delimiter: b';', decimal: DecimalMark::Comma };

fn names(id: &[&str], name: &[&str], longitude: &[&str], latitude: &[&str]) -> StationColumns {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    StationColumns {
        id: owned(id),
        name: owned(name),
        longitude: owned(longitude),
        latitude: owned(latitude),
        lat_lon: Vec::new(),
        wkt: Vec::new(),
        by_year: false,
    }
}

fn plain() -> StationColumns {
    names(&["id"], &["name"], &["longitude"], &["latitude"])
}

fn read_as(file: &[u8], names: &StationColumns, change: impl Fn(&mut StationForm<'_>)) -> Outcome {
    let nulls = Nulls::new(&["NULL"]);
    let rules = PlaceRules {
        feed: "divvy",
        bounds: Some(BoundingBox { west: -180.0, south: 20.0, east: 180.0, north: 90.0 }),
        zero_is_unknown: true,
        nulls: &nulls,
        decimal: DecimalMark::Point,
    };
    let mut form = StationForm {
        names,
        dialects: &[COMMA, SEMICOLON],
        encodings: &[Encoding::Utf8, Encoding::Windows1252],
        id: ColumnKind::Id { decimals: None, strip_zeros: false },
        rules,
        year: None,
    };
    change(&mut form);
    read_stations(file, &form)
}

type Outcome = Result<Stations, StationsError>;

/// The id, the name and the place of a station.
type Seen = (String, Option<String>, Option<(f64, f64)>);

fn read(file: &str, names: &StationColumns) -> Vec<Seen> {
    let stations = read_as(file.as_bytes(), names, |_| ()).expect("stations");
    let point = |point: Point| (point.longitude, point.latitude);
    stations.rows.into_iter().map(|row| (row.id, row.name, row.point.map(point))).collect()
}

/// A station of Boston or Washington has a number of the table, and the number that is in the trips.
#[test]
fn ids_are_those_of_the_trips() {
    for (feed, file) in [
        (
            "hubway",
            "id,terminal,station,municipal,lat,lng,status\n3,B32006,Elm St,Boston,42.3,-71.1,Existing\n",
        ),
        (
            "hubway",
            "Station,Station ID,Latitude,Longitude,Municipality,# of Docks\nElm St,B32006,42.3,-71.1,Boston,15\n",
        ),
        (
            "capital",
            "OBJECTID,ID,ADDRESS,TERMINAL_NUMBER,LATITUDE,LONGITUDE\n9,1,Elm St,B32006,42.3,-71.1\n",
        ),
        ("capital", "id,name,terminal,lat,long\n1,Elm St,B32006,42.3,-71.1\n"),
    ] {
        let names = crate::feed::builtin::get(feed).and_then(|feed| feed.stations.clone());
        let found = read(file, &names.expect("station files"));
        let found: Vec<_> = found.iter().map(|(id, _, point)| (id.as_str(), *point)).collect();
        assert_eq!(found, [("B32006", Some((-71.1, 42.3)))], "{file}");
    }
}

/// One station with id 35, Elm St, in every layout.
#[test]
fn files_of_all_feeds() {
    for (file, names) in [
        (
            "id,name,latitude,longitude,dpcapacity,online_date\n35,Elm St,41.9,-87.6,15,5/12/2015\n",
            plain(),
        ),
        (
            "id,name,city,latitude,longitude,dpcapacity,online_date,\n35,Elm St,Chicago,41.9,-87.6,15,2015,\n",
            plain(),
        ),
        (
            "id,name,latitude,longitude,dpcapacity,landmark\r\n\"35\",\"Elm St\",41.9,-87.6,15,5\r\n",
            plain(),
        ),
        (
            "code,name,latitude,longitude\n35,Elm St,41.9,-87.6\n",
            names(&["code", "pk"], &["name"], &["longitude"], &["latitude"]),
        ),
        (
            "\u{feff}pk;name;latitude;longitude\n35;Elm St;41,9;-87,6\n",
            names(&["code", "pk"], &["name"], &["longitude"], &["latitude"]),
        ),
        (
            "Code, Name ,LATITUDE,Longitude\n35, Elm St ,41.9, -87.6\n",
            names(&["code", "pk"], &["name"], &["longitude"], &["latitude"]),
        ),
        (
            "id,name,obcn,location,latitude,longitude,status\n35,Elm St,GDL,Polígono,41.9,-87.6,IN\n",
            plain(),
        ),
        (
            "Kiosk ID,Kiosk Name,Kiosk Status,latitude,longitude\n35.0,Elm St,active,41.9,-87.6\n",
            names(&["Kiosk ID"], &["Kiosk Name"], &["longitude"], &["latitude"]),
        ),
        (
            "FID,ID,Nimi,Osoite,x,y\n1,35,Elm St,Elm 1,-87.6,41.9\n",
            names(&["ID"], &["Nimi", "Name"], &["x", "longitude"], &["y", "latitude"]),
        ),
        (
            "Number,Name,Latitude,Longitude,District\n35,Elm St,41.9,-87.6,Hill\n",
            names(
                &["Station ID", "Number", "id"],
                &["Station", "Name"],
                &["Longitude"],
                &["Latitude"],
            ),
        ),
    ] {
        let expected = ("35".to_owned(), Some("Elm St".to_owned()), Some((-87.6, 41.9)));
        assert_eq!(read(file, &names), [expected], "{file}");
    }
}

/// A place in one column, as portals of open data export it.
#[test]
fn a_place_in_one_column() {
    let stations = StationColumns {
        lat_lon: vec!["Location".into()],
        wkt: vec!["the_geom".into()],
        ..plain()
    };
    for file in [
        "id,name,Location\n35,Elm St,\"(41.9, -87.6)\"\n",
        "id,name,location\n35,Elm St,\"41.9,-87.6\"\n",
        "the_geom,id,name\nPOINT (-87.6 41.9),35,Elm St\n",
        "id;name;Location\n35;Elm St;\"(41,9; -87,6)\"\n",
        // The two columns count first, then latitude and longitude in one.
        "id,name,longitude,latitude,Location\n35,Elm St,-87.6,41.9,\"(1, 2)\"\n",
        "id,name,the_geom,Location\n35,Elm St,POINT (1 2),\"(41.9, -87.6)\"\n",
    ] {
        let expected = ("35".to_owned(), Some("Elm St".to_owned()), Some((-87.6, 41.9)));
        assert_eq!(read(file, &stations), [expected], "{file}");
    }
    let without_pair = StationColumns { longitude: Vec::new(), latitude: Vec::new(), ..stations };
    let error = |file: &str, names: &StationColumns| {
        read_as(file.as_bytes(), names, |_| ()).expect_err(file).to_string()
    };
    assert_eq!(error("id,lon\n1,2\n", &without_pair), "column the_geom is missing");
    assert_eq!(error("id,lon\n1,2\n", &plain()), "columns longitude, latitude are missing");
    let bad = error("id,Location\n1,here\n", &without_pair);
    assert_eq!(bad, "line 2: \"here\" is not a place: expected latitude, longitude");
}

#[test]
fn a_name_may_be_the_id() {
    let names = names(&["name"], &["name"], &["lng", "lon"], &["lat"]);
    let found = read("name,lat,lng\n\"0993 Alder & Robson, north\",49.3,-123.1\n", &names);
    assert_eq!(found, [("0993 Alder & Robson, north".to_owned(), None, Some((-123.1, 49.3)))]);
}

#[test]
fn other_encodings_and_decimal_marks() {
    let file = b"id;name;longitude;latitude\n1;Ca\xf1ada;-87,6;41,9\n2;\xc3\x9cber;-87,6;41,9\n";
    let stations = read_as(file, &plain(), |_| ()).unwrap();
    let found: Vec<_> = stations.rows.iter().map(|row| row.name.as_deref().unwrap()).collect();
    assert_eq!(found, ["Cañada", "Über"]);
    assert_eq!(stations.rows[0].point, Some(Point { longitude: -87.6, latitude: 41.9 }));
}

#[test]
fn ids_are_those_of_trips() {
    let file = "id,longitude,latitude\n001059.0,-0.1,51.5\n";
    let form = ColumnKind::Id { decimals: None, strip_zeros: true };
    let stations = read_as(file.as_bytes(), &plain(), |it| (it.id, it.year) = (form, Some(2014)));
    let row = &stations.unwrap().rows[0];
    assert_eq!((row.id.as_str(), row.valid_from, row.valid_to), ("1059", Some(2014), Some(2014)));
}

#[test]
fn stations_without_a_place_and_repeated_ids() {
    let file =
        "id,name,longitude,latitude\n\n1,a,,\n2,b,0,0\n,,,\n1,c,-87.6,41.9,,\n3,NULL,NULL,1\n";
    let stations = read_as(file.as_bytes(), &plain(), |_| ()).unwrap();
    let seen: Vec<_> = stations
        .rows
        .iter()
        .map(|row| (row.id.as_str(), row.name.as_deref(), row.point.is_some()))
        .collect();
    assert_eq!(seen, [("1", Some("c"), true), ("2", Some("b"), false), ("3", None, false)]);
    assert_eq!((stations.repeated, stations.without_place), (1, 2));
    assert_eq!(stations.repeats, [Repeat { line: 6, earlier: 3, id: "1".into() }]);
}

/// PostgreSQL stores ids in an index, whose entries are limited.
#[test]
fn ids_have_a_limit() {
    let (long, longest) = ("x".repeat(MAX_ID + 1), "y".repeat(MAX_ID));
    let file = format!("id,name,longitude,latitude\n{long},a,1,41\n{longest},b,1,41\n");
    let stations = read_as(file.as_bytes(), &plain(), |_| ()).unwrap();
    let ids: Vec<&str> = stations.rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, [longest]);
    let found: Vec<_> = stations.errors.iter().map(|error| (error.line, error.state)).collect();
    assert_eq!(found, [(2, SqlState::StringDataRightTruncation)]);
}

#[test]
fn errors_name_the_lines() {
    let file = b"id,name,longitude,latitude\n1,\"a\nb\",-87.6,41.9\n2,c,41.9,-87.6\n3,d,x,1\n\
        ,e,1,41\n4,f,1\n5,g,1,41,more\n6,\x81,1,41\n";
    let stations = read_as(file, &plain(), |_| ()).expect("the first record is a station");
    let ids: Vec<&str> = stations.rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!((ids, stations.rejected), (vec!["1"], 6));
    let errors = stations.errors;
    let found: Vec<_> = errors.iter().map(|error| (error.line, error.state.code())).collect();
    assert_eq!(
        found,
        [(4, "22003"), (5, "22P02"), (6, "23502"), (7, "22P04"), (8, "22P04"), (9, "22021")]
    );
    assert!(errors[0].reason.ends_with("swapped"), "{}", errors[0].reason);
    let many = format!("id,longitude,latitude\n{}", "1,x,y\n".repeat(100));
    let Err(error @ StationsError::Records(_)) = read_as(many.as_bytes(), &plain(), |_| ()) else {
        panic!("the file has errors");
    };
    assert!(error.to_string().starts_with("line 2: longitude \"x\""), "{error}");
    let StationsError::Records(errors) = error else { unreachable!() };
    assert_eq!(errors.len(), MAX_ERRORS);
    let many = format!("{many}7,1,41\n");
    let stations = read_as(many.as_bytes(), &plain(), |_| ()).expect("the last one is a station");
    assert_eq!((stations.rows.len(), stations.rejected), (1, 100));
    assert_eq!(stations.errors, errors);
}

#[test]
fn headers_that_are_not_of_stations() {
    let error = |file: &str| read_as(file.as_bytes(), &plain(), |_| ()).unwrap_err().to_string();
    assert_eq!(error("id,name\n"), "columns longitude, latitude are missing");
    assert_eq!(error(""), "columns id, longitude, latitude are missing");
    assert_eq!(error("id,longitude\n"), "column latitude is missing");
    assert_eq!(error("id,longitude,latitude,LATITUDE\n"), "column latitude appears twice");
}

#[test]
fn large_files_are_refused() {
    let endless = io::repeat(b'x');
    let names = plain();
    let nulls = Nulls::default();
    let rules = PlaceRules {
        feed: "x",
        bounds: None,
        zero_is_unknown: true,
        nulls: &nulls,
        decimal: DecimalMark::Point,
    };
    let form = StationForm {
        names: &names,
        dialects: &[COMMA],
        encodings: &[Encoding::Utf8],
        id: ColumnKind::Id { decimals: None, strip_zeros: false },
        rules,
        year: None,
    };
    assert!(matches!(read_stations(endless, &form), Err(StationsError::TooLarge)));
    let many = format!("id,longitude,latitude\n{}", "1,2,3\n".repeat(MAX_STATIONS + 1));
    assert!(matches!(read_stations(many.as_bytes(), &form), Err(StationsError::TooLarge)));
}

#[test]
fn years_of_file_names() {
    for (name, year) in [
        ("Divvy_Stations_2016_Q3.csv", Some(2016)),
        ("Divvy_Stations_2014-Q3Q4.csv", Some(2014)),
        ("Stations_2014.csv", Some(2014)),
        ("2021_stations.csv", Some(2021)),
        ("a/2019/20220106_stations.csv", Some(2022)),
        ("nomenclatura_2023_01.csv", Some(2023)),
        ("nomenclatura_202301.csv", Some(2023)),
        ("stations_20.csv", None),
        ("stations_20201.csv", None),
        ("stations_202099.csv", None),
        ("stations_3000.csv", None),
        ("dump_12345_2018.csv", Some(2018)),
        ("2018/stations.csv", None),
        ("", None),
    ] {
        assert_eq!(year_of(name), year, "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_stations_or_an_error(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80),
            "(id|name|longitude|latitude|[0-9]{1,3}|[-,;\n\r\" x]){0,40}".prop_map(String::into_bytes),
        ],
        has_header: bool,
    ) {
        let header: &[u8] = if has_header { b"id,name,longitude,latitude\n" } else { b"" };
        let _ = read_as(&[header, &bytes].concat(), &plain(), |_| ());
    }
}
