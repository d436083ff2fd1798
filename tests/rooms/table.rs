//! The table of rooms in `docs/architecture.md`.

use crate::arrows::Arrow;

/// The title of the table of the folders of `trips_core`.
const CORE: &str = "Rooms of trips_core";

/// The rows, from the top of the house down.
pub struct Rooms(Vec<Room>);

struct Room {
    name: String,
    may_call: Vec<String>,
}

impl Rooms {
    /// The rows of the table of the folders of `trips_core`.
    pub fn parse_core(document: &str) -> Self {
        let section = document.split("\n### ").find(|section| section.starts_with(CORE));
        let section =
            section.expect("docs/architecture.md has a section of the rooms of trips_core");
        let section = section.split("\n## ").next().unwrap_or_default();
        let rooms: Vec<Room> = section
            .lines()
            .take_while(|line| !line.starts_with("Outside"))
            .filter(|line| line.starts_with("| `"))
            .map(row)
            .collect();
        assert!(rooms.len() > 10, "the table of trips_core has {} rows", rooms.len());
        Self(rooms)
    }

    /// The rows of the section "Rooms" whose first column names code.
    pub fn parse(document: &str) -> Self {
        let section = document.split("\n## ").find(|section| section.starts_with("Rooms\n"));
        let section = section.expect("docs/architecture.md has a section Rooms");
        let is_room = |line: &&str| line.starts_with("| `src/") || line.starts_with("| `crates/");
        let rooms: Vec<Room> = section.lines().filter(is_room).map(row).collect();
        assert!(rooms.len() > 20, "the table of rooms has {} rows", rooms.len());
        Self(rooms)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|room| room.name.as_str())
    }

    fn find(&self, name: &str) -> Option<&Room> {
        self.0.iter().find(|room| room.name == name)
    }

    /// Why an arrow is not allowed.
    pub fn fault_of(&self, arrow: &Arrow) -> Option<String> {
        let Arrow { from, to, place } = arrow;
        let Some(room) = self.find(from) else {
            return Some(format!("{place}: {from} has no row"));
        };
        if room.may_call.contains(to) {
            return None;
        }
        let position = |name: &str| self.names().position(|other| other == name);
        let is_upward = position(to) < position(from) && position(to).is_some();
        let kind = if is_upward { "upward" } else { "not listed" };
        Some(format!("{place}: {from} -> {to}: {kind}"))
    }

    /// The calls that the table lists.
    pub fn listed(&self) -> Vec<(String, String)> {
        let of_room = |room: &Room| {
            let from = room.name.clone();
            room.may_call.iter().map(move |to| (from.clone(), to.clone())).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_room).collect()
    }

    /// Listed calls of rooms that are not below.
    pub fn upward(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (row, room) in self.0.iter().enumerate() {
            for to in &room.may_call {
                if !self.0[row + 1..].iter().any(|below| below.name == *to) {
                    faults.push(format!("{} may call {to}, which is not below it", room.name));
                }
            }
        }
        faults
    }
}

/// A row: "| `src/load/` | what it owns | history, ledger |".
fn row(line: &str) -> Room {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [path, _, may_call] = cells[..] else { panic!("a row of rooms has three columns: {line}") };
    let path = path.trim_matches('`').trim_end_matches('/');
    let name = path.split_once('/').map_or(path, |(_, name)| name);
    let name = name.trim_end_matches(".rs").to_owned();
    let may_call = may_call.split(", ").filter(|name| *name != "-").map(str::to_owned).collect();
    Room { name, may_call }
}
