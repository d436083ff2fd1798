//! Which room calls which.

use crate::source::{self, Source, Token};

/// The folder of the sources of `trips_core`. Its own folders are rooms, too.
pub const CORE: &str = "crates/trips_core/src/";

/// A use of one room by another.
pub struct Arrow {
    pub from: String,
    pub to: String,
    /// File and line.
    pub place: String,
}

/// The room of a file of the extension: its first module.
pub fn room_of(path: &str) -> String {
    module_path(path).into_iter().next().unwrap_or_default()
}

/// The modules that lead from the root of the extension to a file.
fn module_path(path: &str) -> Vec<String> {
    let path = path.strip_prefix(CORE).or_else(|| path.strip_prefix("src/")).unwrap_or(path);
    path.trim_end_matches(".rs").split('/').map(str::to_owned).collect()
}

/// The dependencies of a crate on other crates of the house.
pub fn arrows_of_crate(name: &str) -> Vec<Arrow> {
    let path = format!("crates/{name}/Cargo.toml");
    let text = source::read(&path);
    let section = text.split("\n[").find_map(|part| part.strip_prefix("dependencies]\n"));
    let lines = section.unwrap_or_default().lines();
    let names = lines.filter_map(|line| line.split_once([' ', '.', '=']).map(|(name, _)| name));
    names
        .filter(|name| name.starts_with("trips_"))
        .map(|to| Arrow { from: name.to_owned(), to: to.to_owned(), place: path.clone() })
        .collect()
}

/// The paths in a file that lead to other rooms: from `crate`, by `super` out of the room, or into a crate.
pub fn arrows_of_room(source: &Source) -> Vec<Arrow> {
    let mut modules = module_path(&source.path);
    let room = room_of(&source.path);
    if room == "lib" {
        // It declares the rooms.
        return Vec::new();
    }
    let mut arrows = Vec::new();
    let mut inline: Vec<usize> = Vec::new();
    let (mut depth, mut i) = (0, 0);
    let tokens = &source.tokens;
    let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    while i < tokens.len() {
        let mut targets = Vec::new();
        let is_begin = i == 0 || text(i - 1) != "::";
        match text(i) {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if inline.last() == Some(&depth) {
                    inline.pop();
                    modules.pop();
                }
            }
            "mod" if text(i + 2) == "{" => {
                inline.push(depth);
                modules.push(text(i + 1).to_owned());
            }
            "crate" if text(i + 1) == "::" => targets = names_at(tokens, i + 2),
            "crate" if text(i + 1) == "as" => targets = vec!["*".to_owned()],
            "super" if is_begin => {
                let supers = (0..).take_while(|n| text(i + 2 * n) == "super").count();
                if supers == modules.len() {
                    targets = names_at(tokens, i + 2 * supers);
                }
                i += 2 * (supers - 1);
            }
            name if is_begin && name.starts_with("trips_") && text(i + 1) == "::" => {
                targets = vec![name.to_owned()];
            }
            _ => {}
        }
        let place = format!("{}:{}", source.path, tokens[i].line);
        let others = targets.into_iter().filter(|to| *to != room);
        arrows.extend(others.map(|to| Arrow { from: room.clone(), to, place: place.clone() }));
        i += 1;
    }
    arrows
}

/// The first names of the paths that begin here: one, or those of a group in braces.
fn names_at(tokens: &[Token], begin: usize) -> Vec<String> {
    let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    if text(begin) != "{" {
        return vec![text(begin).to_owned()];
    }
    let mut names = Vec::new();
    let (mut depth, mut i, mut is_first) = (0, begin, true);
    loop {
        match text(i) {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => is_first = true,
            name if depth == 1 && is_first => {
                names.push(name.to_owned());
                is_first = false;
            }
            _ => {}
        }
        i += 1;
        if depth == 0 || i >= tokens.len() {
            return names;
        }
    }
}
