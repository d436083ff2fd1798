//! `trips.explain_staged`: why the staged records of a load wait. It writes nothing and takes no lock of rows.

use trips_core::explain::{Checker, Explained, Tally};
use trips_core::feed::choice::{FeedChoice, Options};

use crate::error::LoadError;
use crate::feeds;
use crate::history::owners;
use crate::ledger;
use crate::pg::relation::Table;
use crate::pg::session;
use crate::settings;
use crate::staging;

/// The most rows of a result. The records of further members of an archive are one row.
const MAX_ROWS: usize = 1000;

/// The groups of the staged records of a load, by the members of its archive. Examples have values if the caller may see
/// them.
///
/// # Errors
/// 42704 if the load is not in the ledger; 55000 if it has another state than `loaded`.
pub fn explain(
    load_id: i64,
    examples: usize,
    shows_values: bool,
) -> Result<Vec<(Option<String>, Explained)>, LoadError> {
    let ledger_table = Table::open_for_read(c"loads");
    let _owner = session::run_as_owner(&ledger_table);
    owners::require_all_rows()?;
    ledger::require_loaded(load_id)?;
    let constraints = settings::constraints()?;
    let (mut rows, mut further) = (Vec::new(), 0);
    // The arguments of the load are those of all its members.
    let mut choice = None;
    for file in staging::files(Some(load_id))? {
        let member = file.member.clone();
        let used = ledger::feed_of(load_id, member.as_deref())?;
        let (name, options) = match used {
            Some(used) => (Some(used.feed), used.options),
            None => (None, Options::default()),
        };
        let choice = match &choice {
            Some(choice) => FeedChoice::clone(choice),
            None => {
                let name = name.as_deref().unwrap_or_default();
                choice.insert(feeds::choice_of_load(load_id, name, options)?).clone()
            }
        };
        let feed = name.and_then(|name| choice.catalogue.get(&name).cloned());
        let mut checker = Checker::new(feed.as_ref(), choice, constraints);
        let mut tally = Tally::new(load_id, member.clone(), examples, shows_values);
        staging::each_waiting(&file, |row| tally.add(row, &mut checker))?;
        let found = tally.finish(&checker);
        if rows.len() + found.len() > MAX_ROWS {
            further += found.iter().map(|found| found.records).sum::<u64>();
        } else {
            rows.extend(found.into_iter().map(|found| (member.clone(), found)));
        }
    }
    if further > 0 {
        rows.push((None, Explained::of_further_members(further)));
    }
    Ok(rows)
}
