//! The sources, as tokens: comments and the contents of literals are no code.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of Rust.
pub struct Source {
    /// From the root of the repository.
    pub path: String,
    /// How many lines it has.
    pub lines: usize,
    /// Its tokens: names, `::`, and single characters.
    pub tokens: Vec<Token>,
}

/// A token and where it begins.
pub struct Token {
    pub text: String,
    pub line: usize,
}

impl Source {
    pub fn of(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), lines: text.lines().count(), tokens: tokens(text) }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file of the repository.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of the folders in a folder.
pub fn directories(path: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(path)).into_iter().flatten().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> =
        folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The Rust files below a folder.
pub fn files(path: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap().map(Result::unwrap) {
            let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                if !path.ends_with("/target") {
                    folders.push(path);
                }
            } else if path.ends_with(".rs") {
                found.push(Source::of(&path, &read(&path)));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn is_name(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_' || c >= 0x80
}

fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let rest = &text[at..];
        let end = at + literal_or_comment(rest).unwrap_or_else(|| token(bytes, at));
        let fragment = &text[at..end];
        let is_code = literal_or_comment(rest).is_none() && !fragment.trim().is_empty();
        if is_code {
            tokens.push(Token { text: fragment.to_owned(), line });
        }
        line += fragment.matches('\n').count();
        at = end;
    }
    tokens
}

/// The length of the token that begins here.
fn token(bytes: &[u8], at: usize) -> usize {
    if bytes[at..].starts_with(b"::") {
        return 2;
    }
    let name = bytes[at..].iter().take_while(|&&c| is_name(c)).count();
    name.max(1)
}

/// The length of the comment, or of the literal with its prefix, that begins here.
fn literal_or_comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    if let Some(after) = rest.strip_prefix('\'') {
        return character(after).map(|length| length + 1);
    }
    let prefix = ["br", "cr", "b", "c", "r"].into_iter().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|after| {
            after.trim_start_matches('#').starts_with('"')
                && (prefix.ends_with('r') || after.starts_with('"'))
        })
    });
    let prefix = prefix.unwrap_or("");
    let after = &rest[prefix.len()..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    let is_string = after[hashes..].starts_with('"') && (hashes == 0 || prefix.ends_with('r'));
    if !is_string {
        return None;
    }
    let begin = prefix.len() + hashes + 1;
    if prefix.ends_with('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len()));
    }
    let mut is_escaped = false;
    for (at, c) in rest[begin..].char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(begin + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// The length of a character literal behind its first quote; `None` for a lifetime.
fn character(after: &str) -> Option<usize> {
    let mut chars = after.char_indices();
    let (_, first) = chars.next()?;
    if first == '\\' {
        chars.next();
        return chars.find(|&(_, c)| c == '\'').map(|(at, _)| at + 1);
    }
    chars.next().filter(|&(_, c)| c == '\'').map(|(at, _)| at + 1)
}
