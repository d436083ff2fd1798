//! Statements whose plans a session keeps.
//!
//! A load of a small file spends a fifth of its time on the parsing and planning of its statements, which are always the
//! same.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::thread::LocalKey;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::{self, PgOid};
use pgrx::spi::{OwnedPreparedStatement, Query, SpiClient, SpiCursor, SpiResult, SpiTupleTable};
use pgrx::{FromDatum, IntoDatum, Spi};

use super::safe_drop::drop_unless_panicking;

/// A statement is planned anew after so many executions: its tables may have grown, and a plan for an empty table may
/// scan all of it.
const EXECUTIONS: u32 = 200;

/// A statement whose plan is kept for the session, for [`SpiClient::select`] and [`SpiClient::update`].
///
/// A kept plan does not follow settings of the planner: each execution of a statement must have the same.
#[derive(Debug, Clone, Copy)]
pub struct Kept(pub &'static str);

impl<'conn> Query<'conn> for Kept {
    fn execute<'mcx>(
        self,
        client: &SpiClient<'conn>,
        limit: Option<libc::c_long>,
        args: &[DatumWithOid<'mcx>],
    ) -> SpiResult<SpiTupleTable<'conn>> {
        (&*self.plan(client, args)?).execute(client, limit, args)
    }

    fn try_open_cursor<'mcx>(
        self,
        client: &SpiClient<'conn>,
        args: &[DatumWithOid<'mcx>],
    ) -> SpiResult<SpiCursor<'conn>> {
        (&*self.plan(client, args)?).try_open_cursor(client, args)
    }
}

impl Kept {
    fn plan(
        self,
        client: &SpiClient<'_>,
        args: &[DatumWithOid<'_>],
    ) -> SpiResult<Rc<OwnedPreparedStatement>> {
        thread_local! {
            static PLANS: Plans<OwnedPreparedStatement> = const { new() };
        }
        let types: Vec<_> = args.iter().map(DatumWithOid::oid).collect();
        find(&PLANS, self.0.as_bytes(), types, |types| {
            let types: Vec<_> = types.iter().copied().map(PgOid::from).collect();
            Ok(client.prepare(self.0, &types)?.keep())
        })
    }
}

/// Runs a statement whose plan is kept.
///
/// # Errors
/// Those of SPI.
pub fn run(sql: &'static str, args: &[DatumWithOid<'_>]) -> SpiResult<()> {
    Spi::connect_mut(|client| client.update(Kept(sql), None, args).map(|_| ()))
}

/// The value of the first column of the first row of a statement whose plan is kept.
///
/// # Errors
/// Those of SPI.
pub fn get_one<T: FromDatum + IntoDatum>(
    sql: &'static str,
    args: &[DatumWithOid<'_>],
) -> SpiResult<Option<T>> {
    Spi::connect_mut(|client| client.update(Kept(sql), Some(1), args)?.first().get_one())
}

/// The text of a statement.
#[derive(Debug, Clone, Copy)]
pub enum Sql<'a> {
    /// It is planned for one execution.
    Once(&'a CStr),
    /// Its plan is kept for the session.
    Kept(&'static CStr),
}

impl<'a, T: AsRef<CStr> + ?Sized> From<&'a T> for Sql<'a> {
    fn from(sql: &'a T) -> Self {
        Self::Once(sql.as_ref())
    }
}

/// A plan of SPI that outlives the connection.
pub(super) struct KeptPlan(pg_sys::SPIPlanPtr);

impl KeptPlan {
    /// The plan of a statement with arguments of these types.
    ///
    /// # Safety
    /// SPI is connected.
    pub(super) unsafe fn of(sql: &'static CStr, types: &[pg_sys::Oid]) -> Rc<Self> {
        thread_local! {
            static PLANS: Plans<KeptPlan> = const { new() };
        }
        let made = |types: &mut Vec<pg_sys::Oid>| {
            let count = i32::try_from(types.len()).expect("a few arguments");
            // SAFETY: our caller promises the connection. SPI copies the text and the types.
            unsafe {
                let plan = pg_sys::SPI_prepare(sql.as_ptr(), count, types.as_mut_ptr());
                let code = pg_sys::SPI_result;
                assert!(!plan.is_null(), "SPI_prepare failed with code {code}");
                let status = pg_sys::SPI_keepplan(plan);
                assert!(status == 0, "SPI_keepplan failed with code {status}");
                Ok::<_, std::convert::Infallible>(Self(plan))
            }
        };
        let Ok(plan) = find(&PLANS, sql.to_bytes(), types.to_vec(), made);
        plan
    }

    /// The plan, as long as `self` lives.
    pub(super) fn as_ptr(&self) -> pg_sys::SPIPlanPtr {
        self.0
    }
}

drop_unless_panicking!(KeptPlan, |plan| {
    // SAFETY: the plan is kept, and nobody executes it: who does has this value.
    unsafe { pg_sys::SPI_freeplan(plan.0) };
});

/// A text and the types of its arguments. A text that lives for ever is known by its place.
type Statement = ((usize, usize), Vec<pg_sys::Oid>);
/// The plans of a session, and how often each was executed. The end of the process does not drop them: PostgreSQL has
/// ended before.
type Plans<P> = RefCell<ManuallyDrop<Option<HashMap<Statement, (Rc<P>, Cell<u32>)>>>>;

const fn new<P>() -> Plans<P> {
    RefCell::new(ManuallyDrop::new(None))
}

/// The plan of a statement, which `make` makes if there is none. Who executes it keeps it: a trigger may execute the same
/// statement meanwhile.
fn find<P, E>(
    plans: &'static LocalKey<Plans<P>>,
    text: &'static [u8],
    types: Vec<pg_sys::Oid>,
    make: impl FnOnce(&mut Vec<pg_sys::Oid>) -> Result<P, E>,
) -> Result<Rc<P>, E> {
    let mut statement = ((text.as_ptr().addr(), text.len()), types);
    let known = plans.with_borrow(|plans| {
        let (plan, executions) = plans.as_ref()?.get(&statement)?;
        executions.set(executions.get() + 1);
        (executions.get() < EXECUTIONS).then(|| plan.clone())
    });
    if let Some(plan) = known {
        return Ok(plan);
    }
    let plan = Rc::new(make(&mut statement.1)?);
    // The one before is dropped when the map is free again.
    let before = plans.with_borrow_mut(|plans| {
        let plans = plans.get_or_insert_with(HashMap::new);
        plans.insert(statement, (plan.clone(), Cell::new(0)))
    });
    drop(before);
    Ok(plan)
}
