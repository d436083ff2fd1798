//! What a case is, and words to write one in a line or two.

use postgres::Client;
use trips_tests::{Cluster, FIVE_COLUMNS};

/// The row of most cases, and what the history makes of it.
pub const ROW: &str = "A,POINT (1 2),POINT (3 4),2018-05-01 00:00:00,x";
pub const STORED: &str = "A|(1,2)|(3,4)|2018-05-01 00:00:00|x";

/// One input of a kind, and what is expected of it.
pub struct Case {
    /// The number of the kind.
    pub kind: u8,
    pub name: String,
    pub input: Input,
    /// SQL that is run before.
    pub setup: &'static str,
    /// The first bad line refuses the file.
    pub abort: bool,
    pub expected: Expected,
}

pub enum Input {
    /// A file of these bytes.
    Bytes(Vec<u8>),
    /// Whatever the function makes, at the path that it returns.
    Made(fn(&Cluster) -> String),
    /// The function does and checks it all.
    Scene(fn(&Cluster, &mut Client)),
}

pub enum Expected {
    Loaded {
        /// Read, inserted, duplicate, staged.
        rows: [i64; 4],
        /// Line, code and column of each staged row.
        staged: Vec<(i64, String, Option<String>)>,
        /// An expression over the history, and its values in order.
        stored: Option<(String, Vec<String>)>,
        /// A word of a notice.
        notice: &'static str,
    },
    Refused {
        code: &'static str,
        /// Words of the message.
        words: &'static str,
        /// Words of the hint; a hint there must be.
        hint: &'static str,
    },
    /// The scene checks it.
    Checked,
}

fn case(kind: u8, name: impl Into<String>, input: Input) -> Case {
    let (setup, abort, expected) = ("", false, Expected::Checked);
    Case { kind, name: name.into(), input, setup, abort, expected }
}

/// A whole file.
pub fn file(kind: u8, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Case {
    case(kind, name, Input::Bytes(bytes.into()))
}

/// The rows of a file, behind the usual header.
pub fn rows(kind: u8, name: impl Into<String>, bytes: impl AsRef<[u8]>) -> Case {
    file(kind, name, [FIVE_COLUMNS.as_bytes(), bytes.as_ref()].concat())
}

/// A file, or something else, that is made in the cluster's directory.
pub fn made(kind: u8, name: &str, make: fn(&Cluster) -> String) -> Case {
    case(kind, name, Input::Made(make))
}

/// More than one load.
pub fn scene(kind: u8, name: &str, play: fn(&Cluster, &mut Client)) -> Case {
    case(kind, name, Input::Scene(play))
}

/// The usual row with another value in one column, quoted where CSV wants it.
pub fn row_with(column: &str, value: &str) -> String {
    let names = FIVE_COLUMNS.trim_end().split(',');
    let cells: Vec<String> = names
        .zip(ROW.split(','))
        .map(|(name, usual)| {
            let text = if name == column { value } else { usual };
            let is_plain = !text.contains([',', '"', '\n', '\r']);
            if is_plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
        })
        .collect();
    cells.join(",")
}

impl Case {
    /// It is loaded with these rows read, inserted, duplicate, staged.
    pub fn loads(mut self, rows: [i64; 4]) -> Self {
        let (staged, stored, notice) = (Vec::new(), None, "");
        self.expected = Expected::Loaded { rows, staged, stored, notice };
        self
    }

    /// These lines are staged: line, code, column.
    pub fn stages(mut self, lines: &[(i64, &str, Option<&str>)]) -> Self {
        if let Expected::Loaded { staged, .. } = &mut self.expected {
            *staged = lines
                .iter()
                .map(|(line, code, column)| (*line, (*code).to_owned(), column.map(str::to_owned)))
                .collect();
        }
        self
    }

    /// The history has these rows, `-` for NULL.
    pub fn stores(self, rows: &[&str]) -> Self {
        let columns =
            "region, origin_coord::text, destination_coord::text, date_time::text, datasource";
        let texts: Vec<String> =
            columns.split(", ").map(|column| format!("coalesce({column}, '-')")).collect();
        self.stores_as(&format!("concat_ws('|', {})", texts.join(", ")), rows)
    }

    /// The history gives these values for this expression.
    pub fn stores_as(mut self, expression: &str, values: &[&str]) -> Self {
        if let Expected::Loaded { stored, .. } = &mut self.expected {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            *stored = Some((expression.to_owned(), values));
        }
        self
    }

    /// A notice says this.
    pub fn says(mut self, word: &'static str) -> Self {
        if let Expected::Loaded { notice, .. } = &mut self.expected {
            *notice = word;
        }
        self
    }

    /// Its load refuses it, with this code, these words in the message and these in the hint.
    pub fn refuses(mut self, code: &'static str, words: &'static str, hint: &'static str) -> Self {
        self.expected = Expected::Refused { code, words, hint };
        self
    }

    /// After this SQL.
    pub fn after(mut self, setup: &'static str) -> Self {
        self.setup = setup;
        self
    }

    /// With `on_error => 'abort'`.
    pub fn or_abort(mut self) -> Self {
        self.abort = true;
        self
    }
}
