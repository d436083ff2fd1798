use super::*;
use crate::feed::choice::FeedChoice;

const FEED: &str = r#"{ "name": "marks", "title": "Marks",
    "columns": { "at": { "type": "time" }, "$decimal": {}, "$order": {}, "$$order": {}, "$": {}, "price": { "type": "number" } },
    "versions": { "1": ["at"] },
    "form": { "dialects": [{ "delimiter": ";", "decimal": "," }] },
    "time": { "columns": ["at"], "forms": ["MM/DD/YYYY HH24:MI", "DD/MM/YYYY HH24:MI"] },
    "region": [{ "constant": "X" }], "identity": { "scheme": "columns", "columns": ["@time"] } }"#;

fn feed() -> Arc<FileFeed> {
    let definition = Arc::new(Definition::parse(FEED).unwrap());
    let dialect = definition.form.dialects[0];
    Arc::new(FileFeed::new(definition, dialect, &FeedChoice::builtin()))
}

/// The names of columns and of the members that say the form of the texts are never the same.
#[test]
fn names_of_columns_are_not_those_of_the_form() {
    let feed = feed();
    let texts = ["d", "c", "a", "b", "01/02/2024 10:00", "1,5"].map(|text| Some(text.to_owned()));
    let (decimal, order) = (DecimalMark::Comma, Some(DayMonthOrder::DayFirst));
    let record =
        FeedRecord { texts: texts.to_vec(), decimal, order, preceding: None, times: Vec::new() };
    let json = json_of(&record.program(&feed), &record).unwrap();
    let expected = r#"{"$$":"d","$$$order":"c","$$decimal":"a","$$order":"b","$decimal":",","$order":"DD/MM","at":"01/02/2024 10:00","price":"1,5"}"#;
    assert_eq!(json, expected);
    assert_eq!(FeedRecord::of_json(&feed.definition, &json), Some(record));
    let preceding = Preceding { base: [0xab; 16], records: 2 };
    let text = format!("{{\"$occurrence\":\"{}\"}}", preceding.to_text());
    let read = FeedRecord::of_json(&feed.definition, &text).unwrap();
    assert_eq!(read.preceding(), Some(preceding));
    assert_eq!(FeedRecord::of_json(&feed.definition, r#"{"$occurrence":"x of 2"}"#), None);
    // A column of the form alone is no column of the feed.
    let of_json = |json| FeedRecord::of_json(&feed.definition, json);
    assert_eq!(
        of_json(r#"{"$decimal":","}"#).map(|r| (r.decimal, r.texts[2].clone())),
        Some((decimal, None))
    );
    assert_eq!(of_json(r#"{"$":"d"}"#), None);
    assert_eq!(of_json(r#"{"$$price":"1"}"#), None);
    assert_eq!(of_json(r#"{"$order":"b"}"#), None);
}
