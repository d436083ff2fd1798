//! The clean file, the styles in which it is written, and words to say what dirt does to a row.

/// Rows of the clean file.
pub const ROWS: usize = 30;

/// A trip, as the five values of a clean file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trip(pub [String; 5]);

/// A way of writing CSV.
pub struct Style {
    pub name: &'static str,
    pub eol: &'static str,
    /// Every value is quoted, not only those that must be.
    pub quotes_all: bool,
    /// The last row has a line end, too.
    pub ends_at_end: bool,
}

pub const STYLES: [Style; 3] = [
    Style { name: "LF", eol: "\n", quotes_all: false, ends_at_end: true },
    Style { name: "quoted CRLF", eol: "\r\n", quotes_all: true, ends_at_end: true },
    Style { name: "CR, no last end", eol: "\r", quotes_all: false, ends_at_end: false },
];

/// The trips of the clean file; those at the places of the dirt are plain.
pub fn trips() -> Vec<Trip> {
    let trip = |i: usize| {
        let region = match i {
            5 => "Comma, town".to_owned(),
            11 => "New\nYork, \"NY\"".to_owned(),
            22 => "Žďár nad Sázavou".to_owned(),
            _ => format!("Region{}", i % 4),
        };
        let origin = format!("POINT ({}.25 {}.5)", i + 10, i + 40);
        let destination = format!("POINT (-{}.125 {}.75)", i + 1, i + 1);
        let empty = |is: bool, text: String| if is { String::new() } else { text };
        Trip([
            region,
            empty(i == 19, origin),
            empty(i == 8, destination),
            format!("2018-05-{:02} {:02}:{:02}:{:02}", i % 28 + 1, i % 24, i, 59 - i),
            empty(i == 26, format!("source{}", i % 3)),
        ])
    };
    (0..ROWS).map(trip).collect()
}

/// A value as CSV writes it.
fn cell(value: &str, quotes_all: bool) -> String {
    if quotes_all || value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

impl Trip {
    /// Its values as CSV.
    pub fn cells(&self, style: &Style) -> Vec<String> {
        self.0.iter().map(|value| cell(value, style.quotes_all)).collect()
    }

    /// Its line, without the end.
    pub fn line(&self, style: &Style) -> String {
        self.cells(style).join(",")
    }

    /// The same, with another value.
    pub fn with(&self, column: usize, value: impl Into<String>) -> Self {
        let mut other = self.clone();
        other.0[column] = value.into();
        other
    }

    /// What the history shows of it.
    pub fn stored(&self) -> [Option<String>; 5] {
        let [region, origin, destination, time, datasource] = &self.0;
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let point = |text: &str| some(text.replace("POINT ", "").replace(' ', ","));
        [
            some(region.clone()),
            point(origin),
            point(destination),
            Some(format!("{time}.000000")),
            some(datasource.clone()),
        ]
    }
}

/// A kind of dirt, which replaces so many rows.
#[derive(Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    pub rows: usize,
    pub make: fn(&Row<'_>) -> Fate,
}

/// Dirt instead of one row.
pub const fn kind(name: &'static str, make: fn(&Row<'_>) -> Fate) -> Kind {
    Kind { name, rows: 1, make }
}

/// The rows that are to be polluted.
pub struct Row<'a> {
    pub trips: &'a [Trip],
    pub style: &'a Style,
    /// The line end of the last of them; none at the end of some files.
    pub end: &'a str,
    /// Which variant of the dirt.
    pub pick: usize,
}

/// What becomes of the rest of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// It is as if there were no dirt.
    Usual,
    /// The file ends with the dirt.
    EndsHere,
    /// Every row is staged.
    AllStaged,
    /// The file is refused, with this code.
    Refused(&'static str),
}

/// The text in the file instead of the rows, and its expected result.
pub struct Fate {
    pub bytes: Vec<u8>,
    /// The trips that it legitimately is.
    pub becomes: Vec<Trip>,
    pub staged: usize,
    pub duplicates: usize,
    /// A header instead of the usual one.
    pub head: Option<Vec<u8>>,
    pub whole: Whole,
}

impl Fate {
    pub fn and(self, whole: Whole) -> Self {
        Self { whole, ..self }
    }

    pub fn headed(self, head: impl Into<Vec<u8>>) -> Self {
        Self { head: Some(head.into()), ..self }
    }
}

impl Row<'_> {
    pub fn trip(&self) -> &Trip {
        &self.trips[0]
    }

    pub fn line(&self) -> String {
        self.trip().line(self.style)
    }

    /// The column of this variant, from 0.
    pub fn column(&self) -> usize {
        self.pick % 5
    }

    /// The value in it.
    pub fn value(&self) -> &str {
        &self.trip().0[self.column()]
    }

    /// Whether the column of this variant takes any text: region and datasource do.
    pub fn is_free_text(&self) -> bool {
        matches!(self.column(), 0 | 4)
    }

    /// The variant's element.
    pub fn one_of<T: Copy>(&self, all: &[T]) -> T {
        all[self.pick % all.len()]
    }

    /// The line with another raw text instead of one value.
    pub fn with_cell(&self, column: usize, text: impl Into<Vec<u8>>) -> Vec<u8> {
        let mut cells: Vec<Vec<u8>> =
            self.trip().cells(self.style).into_iter().map(String::into_bytes).collect();
        cells[column] = text.into();
        cells.join(b",".as_slice())
    }

    /// The line with bytes in the middle of the variant's value.
    pub fn with_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let (head, tail) = self.value().split_at(self.value().len() / 2);
        let quote: &[u8] = if self.style.quotes_all { b"\"" } else { b"" };
        let cell = [quote, head.as_bytes(), bytes, tail.as_bytes(), quote].concat();
        self.with_cell(self.column(), cell)
    }

    fn fate(&self, line: impl AsRef<[u8]>, becomes: Vec<Trip>, staged: usize) -> Fate {
        let bytes = [line.as_ref(), self.end.as_bytes()].concat();
        Fate { bytes, becomes, staged, duplicates: 0, head: None, whole: Whole::Usual }
    }

    /// The line is no trip.
    pub fn staged(&self, line: impl AsRef<[u8]>) -> Fate {
        self.fate(line, vec![], 1)
    }

    /// These lines are no trips.
    pub fn all_staged(&self, lines: &[String]) -> Fate {
        self.fate(lines.join(self.style.eol), vec![], lines.len())
    }

    /// The line is still the same trip.
    pub fn stays(&self, line: impl AsRef<[u8]>) -> Fate {
        self.fate(line, self.trips.to_vec(), 0)
    }

    /// The line is the same trip where nothing is quoted, and no record where everything is.
    pub fn stays_if_bare(&self, line: impl AsRef<[u8]>) -> Fate {
        if self.style.quotes_all { self.staged(line) } else { self.stays(line) }
    }

    /// The line is another trip, and nobody could know.
    pub fn becomes(&self, line: impl AsRef<[u8]>, trip: Trip) -> Fate {
        self.fate(line, vec![trip], 0)
    }

    /// The variant's value is another one, which CSV can hold: a text takes it, the others do not.
    pub fn is_text_only(&self, value: &str) -> Fate {
        let trip = self.trip().with(self.column(), value);
        let line = trip.line(self.style);
        if self.is_free_text() { self.becomes(line, trip) } else { self.staged(line) }
    }

    /// The variant's value is nothing, which region and time must not be.
    pub fn is_nothing(&self, line: impl AsRef<[u8]>) -> Fate {
        match self.column() {
            0 | 3 => self.staged(line),
            column => self.becomes(line, self.trip().with(column, "")),
        }
    }

    /// A line that is no record, before the row.
    pub fn preceded(&self, line: &str) -> Fate {
        self.fate(format!("{line}{}{}", self.style.eol, self.line()), self.trips.to_vec(), 1)
    }

    /// A line that is no record, behind the row.
    pub fn followed(&self, line: &str) -> Fate {
        self.fate(format!("{}{}{line}", self.line(), self.style.eol), self.trips.to_vec(), 1)
    }
}
