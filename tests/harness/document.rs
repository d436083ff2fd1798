//! A Markdown document whose SQL is executed: the steps that it consists of.
//!
//! CONTRIBUTING.md, "Documents are tests", has the convention.

use std::path::Path;

/// A document, read.
#[derive(Debug, Default)]
pub struct Document {
    /// Lines of postgresql.conf for its server.
    pub configuration: String,
    /// The document creates the extension itself.
    pub without_extension: bool,
    /// What is to be done, in its order, with the line of the document.
    pub steps: Vec<(usize, Step)>,
}

/// Something that the test does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Runs SQL in the session; with the output that the document shows.
    Run(String, Option<String>),
    /// Compares signatures of functions with the catalogue.
    Signatures(String),
    /// Writes a file of this name and text to the directory that the document calls `/data/`.
    File(String, String),
    /// Waits until a query returns true.
    Until(String),
    /// The steps that follow use another session.
    Session(String),
}

/// What a comment says of the next block.
#[derive(Default, PartialEq, Eq)]
enum Mark {
    #[default]
    None,
    NotRun,
    Signatures,
}

impl Document {
    /// Reads a document.
    ///
    /// # Panics
    /// When the file is missing, or a directive is wrong.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&text)
    }

    /// Reads the text of a document.
    ///
    /// # Panics
    /// When a directive is wrong.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut document = Self::default();
        let mut lines = text.lines().enumerate().map(|(i, line)| (i + 1, line));
        let mut mark = Mark::None;
        let mut is_behind_sql = false;
        while let Some((number, line)) = lines.next() {
            if let Some(word) = line.trim_start().strip_prefix("```") {
                let body = until(&mut lines, |line| line.trim_start().starts_with("```"));
                is_behind_sql =
                    document.block(word, number, body, std::mem::take(&mut mark), is_behind_sql);
            } else if let Some(rest) = line.strip_prefix("<!-- test: ") {
                mark = document.directive(rest, number, &mut lines);
                is_behind_sql = false;
            } else if !line.trim().is_empty() {
                is_behind_sql = false;
            }
        }
        assert!(mark == Mark::None, "a directive at the end has no block");
        document
    }

    /// Takes a fenced block; returns whether it is SQL that an output may follow.
    fn block(
        &mut self,
        word: &str,
        line: usize,
        body: String,
        mark: Mark,
        is_behind_sql: bool,
    ) -> bool {
        match (word, mark) {
            ("sql", Mark::None) => {
                self.steps.push((line, Step::Run(body, None)));
                return true;
            }
            ("sql", Mark::Signatures) => self.steps.push((line, Step::Signatures(body))),
            ("sql", Mark::NotRun) => return false,
            (_, Mark::NotRun | Mark::Signatures) => {
                panic!("line {line}: the directive is not of this block")
            }
            ("output", Mark::None) => {
                assert!(is_behind_sql, "line {line}: an output without a block of SQL that is run");
                if let Some((_, Step::Run(_, output))) = self.steps.last_mut() {
                    *output = Some(body);
                }
            }
            (word, Mark::None) => assert!(!word.is_empty(), "line {line}: a block without a word"),
        }
        false
    }

    fn directive<'a>(
        &mut self,
        rest: &str,
        line: usize,
        lines: &mut impl Iterator<Item = (usize, &'a str)>,
    ) -> Mark {
        if let Some(rest) = rest.strip_suffix("-->") {
            let rest = rest.trim();
            match rest.split_once(' ') {
                _ if rest == "signature" => return Mark::Signatures,
                _ if rest == "without extension" => self.without_extension = true,
                _ if rest.starts_with("not run: ") => return Mark::NotRun,
                Some(("until", query)) => self.steps.push((line, Step::Until(query.into()))),
                Some(("session", name)) => self.steps.push((line, Step::Session(name.into()))),
                _ => panic!("line {line}: unknown directive {rest}"),
            }
        } else {
            let text = until(lines, |line| line == "-->");
            match rest.trim().split_once(' ') {
                None if rest == "setup" => self.steps.push((line, Step::Run(text, None))),
                None if rest == "server" => self.configuration.push_str(&text),
                Some(("file", name)) => self.steps.push((line, Step::File(name.into(), text))),
                _ => panic!("line {line}: unknown directive {rest}"),
            }
        }
        Mark::None
    }
}

/// The lines up to the one that ends them.
fn until<'a>(
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
    is_end: impl Fn(&str) -> bool,
) -> String {
    let mut body = String::new();
    for (_, line) in lines {
        if is_end(line) {
            return body;
        }
        body.push_str(line);
        body.push('\n');
    }
    panic!("a block or a directive without an end: {body}");
}

/// Compares what psql has printed with what the document shows: widths of columns do not count, and `…` is any text.
///
/// # Errors
/// The first line that differs.
pub fn compare(shown: &str, printed: &str) -> Result<(), String> {
    let lines = |text: &str| -> Vec<Vec<String>> {
        text.lines().filter(|line| !line.trim().is_empty()).map(cells).collect()
    };
    let (shown, printed) = (lines(shown), lines(printed));
    if is_match(&shown, &printed) {
        return Ok(());
    }
    let same = (0..shown.len().min(printed.len()))
        .take_while(|&i| is_line(&shown[i], &printed[i]))
        .count();
    let text = |lines: &[Vec<String>]| lines.get(same).map(|cells| cells.join(" | "));
    Err(format!("the document shows {:?}, psql prints {:?}", text(&shown), text(&printed)))
}

fn is_match(shown: &[Vec<String>], printed: &[Vec<String>]) -> bool {
    match shown {
        [] => printed.is_empty(),
        [line, rest @ ..] if line == &["…"] => {
            (0..=printed.len()).any(|n| is_match(rest, &printed[n..]))
        }
        [line, rest @ ..] => {
            printed.first().is_some_and(|first| is_line(line, first))
                && is_match(rest, &printed[1..])
        }
    }
}

fn is_line(shown: &[String], printed: &[String]) -> bool {
    shown.len() == printed.len()
        && shown.iter().zip(printed).all(|(shown, printed)| is_text(shown, printed))
}

fn is_text(shown: &str, printed: &str) -> bool {
    match shown.split_once('…') {
        None => shown == printed,
        Some((before, after)) => printed.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(i, _)| i).chain([rest.len()]);
            ends.into_iter().any(|i| is_text(after, &rest[i..]))
        }),
    }
}

/// A line of a table by its cells, without blanks around; a rule as one dash for each column.
fn cells(line: &str) -> Vec<String> {
    if line.contains('-') && line.trim().chars().all(|c| c == '-' || c == '+') {
        return line.trim().split('+').map(|_| "-".to_owned()).collect();
    }
    line.split('|').map(|cell| cell.trim().to_owned()).collect()
}
