//! docs/querying.sql: each question as plain SQL and as a call, with the same result.

use postgres::{Client, SimpleQueryMessage};
use trips_datagen::Shape;
use trips_tests::{Database, real_trips};

const QUESTIONS: &str = include_str!("../../docs/querying.sql");

/// The statements of the file, without its comments.
fn statements() -> Vec<String> {
    let lines = QUESTIONS.lines().filter(|line| !line.starts_with("--"));
    let text = lines.collect::<Vec<_>>().join("\n");
    text.split(';').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn result_of(client: &mut Client, statement: &str) -> Vec<Vec<Option<String>>> {
    let messages = client.simple_query(statement);
    let messages = messages.unwrap_or_else(|error| panic!("{statement}: {error}"));
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect())
        }
        _ => None,
    });
    rows.collect()
}

#[test]
fn each_question_has_one_answer() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut generated = Vec::new();
    let shape = Shape { rows: 12_000, seed: 21, regions: 3, days: 50, ..Shape::default() };
    trips_datagen::write(&shape, &mut generated).unwrap();
    for (i, file) in [real_trips(), generated].iter().enumerate() {
        let path = database.file(&format!("{i}.csv"), file);
        database.ingest(&mut client, &path);
    }
    let statements = statements();
    let questions = QUESTIONS.lines().filter(|line| {
        line.strip_prefix("-- ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    assert_eq!(statements.len(), 2 * questions.count());
    for pair in statements.chunks(2) {
        let [plain, call] = [&pair[0], &pair[1]].map(|statement| result_of(&mut client, statement));
        assert!(call.iter().flatten().any(Option::is_some), "no result: {}", pair[1]);
        assert_eq!(plain, call, "{}", pair[1]);
    }
}
