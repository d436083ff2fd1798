//! What PostgreSQL passes to an event trigger about its command.

use pgrx::{PgList, pg_sys};

use super::{compat, session};

/// The command of the event trigger; NULL if no event trigger has called.
fn tree_of(call: pg_sys::FunctionCallInfo) -> *mut pg_sys::Node {
    // SAFETY: PostgreSQL calls functions with their call's data, and event triggers with a context of the type of its
    // tag.
    unsafe {
        let data = (*call).context;
        if data.is_null() || (*data).type_ != pg_sys::NodeTag::T_EventTriggerData {
            return std::ptr::null_mut();
        }
        (*data.cast::<pg_sys::EventTriggerData>()).parsetree
    }
}

/// The subcommands of an ALTER TABLE; none for another command, or if no event trigger has called.
fn subcommands(call: pg_sys::FunctionCallInfo) -> Option<(*mut pg_sys::RangeVar, Vec<Subcommand>)> {
    let tree = tree_of(call);
    // SAFETY: the parse tree has the type of its tag. The subcommands of an ALTER TABLE are AlterTableCmds; those that
    // attach and detach partitions have a PartitionCmd.
    unsafe {
        if tree.is_null() || (*tree).type_ != pg_sys::NodeTag::T_AlterTableStmt {
            return None;
        }
        let statement = &*tree.cast::<pg_sys::AlterTableStmt>();
        let commands = PgList::<pg_sys::AlterTableCmd>::from_pg(statement.cmds);
        let subcommands = commands.iter_ptr().map(|command| match (*command).subtype {
            pg_sys::AlterTableType::AT_AttachPartition => Subcommand::Attach,
            pg_sys::AlterTableType::AT_DetachPartition
            | pg_sys::AlterTableType::AT_DetachPartitionFinalize => Subcommand::Detach,
            _ => Subcommand::Other,
        });
        Some((statement.relation, subcommands.collect()))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Subcommand {
    Attach,
    Detach,
    Other,
}

/// Whether the command is an ALTER TABLE that detaches a partition.
pub fn detaches(call: pg_sys::FunctionCallInfo) -> bool {
    subcommands(call).is_some_and(|(_, subcommands)| subcommands.contains(&Subcommand::Detach))
}

/// Whether the command, which is about to run, attaches a partition to this table, and the role may do so.
pub fn will_attach_to(call: pg_sys::FunctionCallInfo, table: pg_sys::Oid) -> bool {
    let Some((name, subcommands)) = subcommands(call) else { return false };
    if !subcommands.contains(&Subcommand::Attach) {
        return false;
    }
    names(name, table) && compat::owns_table(table, session::current_user())
}

/// Whether the command, which is about to run, refreshes this materialized view, and the role may do so.
pub fn will_refresh(call: pg_sys::FunctionCallInfo, view: pg_sys::Oid) -> bool {
    let tree = tree_of(call);
    // SAFETY: the parse tree has the type of its tag.
    let name = unsafe {
        if tree.is_null() || (*tree).type_ != pg_sys::NodeTag::T_RefreshMatViewStmt {
            return false;
        }
        (*tree.cast::<pg_sys::RefreshMatViewStmt>()).relation
    };
    names(name, view) && compat::may_refresh(view, session::current_user())
}

/// Whether a name of a parse tree is that of a table.
fn names(name: *mut pg_sys::RangeVar, table: pg_sys::Oid) -> bool {
    // SAFETY: the name is that of the parse tree. No lock is taken. A schema that the role may not use is an ERROR, as
    // for the command itself.
    let found = unsafe {
        pg_sys::RangeVarGetRelidExtended(
            name,
            pg_sys::NoLock as pg_sys::LOCKMODE,
            pg_sys::RVROption::RVR_MISSING_OK,
            None,
            std::ptr::null_mut(),
        )
    };
    found == table
}
