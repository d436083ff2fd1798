//! The feed of a file: what all headers of the file have in common.

use std::sync::Arc;

use crate::columns::{KEY_COUNT, TripColumn};
use crate::feed::choice::{FeedChoice, Options};
use crate::feed::definition::{
    ColumnId, Definition, Dialect, Encoding, IdentityRule, Place, RawLine, TimeKind, ValueSource,
    Zero,
};
use crate::feed::names::FieldNames;
use crate::feed::rules::FeedRules;
use crate::key::{SameId, Scheme};
use crate::model::decimal::DecimalMark;
use crate::model::time_form::{DayMonthOrder, TimeForms};

/// The only form of a time that the five columns have.
const FIVE_COLUMNS_TIME: &str = "YYYY-MM-DD HH24:MI:SS[.FF]";

/// A feed, as one file is read.
#[derive(Debug, Clone)]
pub struct FileFeed {
    /// Its definition.
    pub definition: Arc<Definition>,
    /// How the file separates its fields, and writes its numbers.
    pub dialect: Dialect,
    /// Values that count before those of the feed.
    pub options: Options,
    /// The names that a later header has.
    pub(crate) names: FieldNames,
    pub(crate) rules: FeedRules,
    /// The columns of the five values, if they are all that the feed has.
    five_columns: Option<[FiveColumnsSource; KEY_COUNT]>,
}

/// The columns of one value of the five-column path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FiveColumnsSource {
    Field(ColumnId),
    Pair { longitude: ColumnId, latitude: ColumnId },
}

impl FileFeed {
    /// A feed in this dialect, with the order of day and month of its first form.
    #[must_use]
    pub fn new(definition: Arc<Definition>, dialect: Dialect, choice: &FeedChoice) -> Self {
        let names = FieldNames::of(&definition);
        let rules = FeedRules::of(&definition, dialect, choice.zones.clone());
        let options = choice.options.clone();
        let definition = with_policy(definition, options.on_change);
        let five_columns = five_columns(&definition, dialect, &options);
        Self { definition, dialect, options, names, rules, five_columns }
    }

    /// The same feed with this order of day and month.
    #[must_use]
    pub fn with_order(&self, order: DayMonthOrder) -> Self {
        Self { rules: FeedRules { order, ..self.rules.clone() }, ..self.clone() }
    }

    /// The same feed with this decimal mark.
    pub(crate) fn with_decimal(&self, decimal: DecimalMark) -> Self {
        let dialect = Dialect { decimal, ..self.dialect };
        Self { rules: FeedRules { decimal, ..self.rules.clone() }, dialect, ..self.clone() }
    }

    /// How keys are made.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.rules.scheme
    }

    /// Whether the file decides the order of day and month.
    #[must_use]
    pub fn needs_order(&self) -> bool {
        self.rules.forms.as_ref().is_some_and(TimeForms::needs_order)
    }

    /// The order of day and month, if the file decides it.
    #[must_use]
    pub fn order(&self) -> Option<DayMonthOrder> {
        self.needs_order().then_some(self.rules.order)
    }

    /// The columns of the five values, if they are all that the feed has.
    pub(crate) fn five_columns(&self) -> Option<[FiveColumnsSource; KEY_COUNT]> {
        self.five_columns
    }
}

/// The definition with the policy that the caller gives, if its trips have ids.
fn with_policy(definition: Arc<Definition>, given: Option<SameId>) -> Arc<Definition> {
    match (&definition.identity, given) {
        (IdentityRule::SourceId { policy, .. }, Some(given)) if *policy != given => {
            let mut definition = (*definition).clone();
            definition.identity = definition.identity.with_policy(Some(given));
            Arc::new(definition)
        }
        _ => definition,
    }
}

/// The columns of the five values, if the feed has nothing but them, as they are, in every version.
fn five_columns(
    feed: &Definition,
    dialect: Dialect,
    options: &Options,
) -> Option<[FiveColumnsSource; KEY_COUNT]> {
    let is_plain_file = dialect == Dialect { delimiter: b',', decimal: DecimalMark::Point }
        && feed.form.encodings == [Encoding::Utf8]
        && feed.form.nulls.is_empty()
        && !feed.form.surplus_empty
        && feed.raw_line == RawLine::Whole;
    let has_no_more = feed.ended_at.is_none()
        && feed.trip_id.is_none()
        && feed.details.is_empty()
        && feed.personal.is_empty()
        && feed.bounds.is_none()
        && feed.areas.is_empty()
        && feed.zero == Zero::Point
        && feed.identity == IdentityRule::Content
        && !feed.columns.iter().any(|column| column.coalesce)
        && options.region.is_none()
        && options.datasource.is_none();
    let is_plain_time = feed.time.kind == TimeKind::Local
        && !feed.time.hour_24
        && feed.time.forms == [FIVE_COLUMNS_TIME];
    if !(is_plain_file && has_no_more && is_plain_time) {
        return None;
    }
    let value = |sources: &[ValueSource]| match sources {
        [ValueSource::Column(id)] => Some(FiveColumnsSource::Field(*id)),
        _ => None,
    };
    let place = |places: &[Place]| match places {
        [Place::Wkt(id)] => Some(FiveColumnsSource::Field(*id)),
        [Place::LonLat { longitude, latitude }] => {
            Some(FiveColumnsSource::Pair { longitude: *longitude, latitude: *latitude })
        }
        _ => None,
    };
    let [time] = feed.time.columns[..] else { return None };
    let mut sources = [FiveColumnsSource::Field(time); KEY_COUNT];
    sources[TripColumn::Region as usize] = value(&feed.region)?;
    sources[TripColumn::Origin as usize] = place(&feed.origin)?;
    sources[TripColumn::Destination as usize] = place(&feed.destination)?;
    sources[TripColumn::Datasource as usize] = value(&feed.datasource)?;
    let is_in_all = |id: ColumnId| {
        let mut versions = feed.versions.iter();
        versions.all(|version| version.required.iter().any(|other| other.column() == id))
    };
    let are_in_all = sources.iter().all(|source| match *source {
        FiveColumnsSource::Field(id) => is_in_all(id),
        FiveColumnsSource::Pair { longitude, latitude } => {
            is_in_all(longitude) && is_in_all(latitude)
        }
    });
    are_in_all.then_some(sources)
}
