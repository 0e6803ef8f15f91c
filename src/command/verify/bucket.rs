//! Lists what lies below the prefixes and asks each object what it says of itself.
//!
//! It owns: which keys are looked at, how many questions are on their way.
//! It does not own: what an answer means (`inventory`).

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::content::{ask, is_store_away};
use super::finding::{Finding, Kind, Report};
use super::inventory::Inventory;
use crate::command::progress::Progress;
use crate::model::ObjectKey;
use crate::s3::{Found, ListedObject, Store, StoreError, StoreErrorKind};

/// "Amazon S3 API Reference", `max-keys`.
const PAGE: u16 = 1_000;
/// Questions on their way: far below what S3 takes for one prefix (5,500 a second).
const QUESTIONS_MAX: usize = 64;

type Answer = (ObjectKey, Result<Found, StoreError>);

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::command) struct Scope {
    /// Each ends in `/`, but for the whole bucket; none lies in another.
    pub(in crate::command) prefixes: BTreeSet<String>,
    /// Claims and what `check` writes: no data.
    pub(in crate::command) claims_prefix: String,
}

impl Scope {
    /// Returns the scope of these prefixes, as they are written in the file.
    pub(in crate::command) fn new<'a>(
        prefixes: impl Iterator<Item = &'a str>,
        claims_prefix: &str,
    ) -> Self {
        let with_slash = |prefix: &str| match prefix.trim_end_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let all: BTreeSet<String> = prefixes.map(with_slash).collect();
        let is_inside = |prefix: &String| {
            all.iter().any(|other| other != prefix && prefix.starts_with(other.as_str()))
        };
        let prefixes = all.iter().filter(|prefix| !is_inside(prefix)).cloned().collect();
        Self { prefixes, claims_prefix: claims_prefix.to_owned() }
    }
}

/// Puts every object into the inventory; what cannot be asked is a finding. An error means that
/// the store gives no answers.
pub(in crate::command) async fn look(
    store: &Store,
    scope: &Scope,
    inventory: &mut Inventory,
    (report, progress): (&mut Report, &mut Progress),
) -> Result<(), StoreError> {
    let mut seen = 0;
    for prefix in &scope.prefixes {
        let mut from: Option<String> = None;
        loop {
            let page = ask(|| store.list(prefix, from.as_deref(), PAGE)).await?;
            let mut questions: JoinSet<Answer> = JoinSet::new();
            for ListedObject { key, .. } in page.items {
                if key.starts_with(&scope.claims_prefix) {
                    continue;
                }
                let Ok(key) = ObjectKey::new(&key) else {
                    let what = "Sluice never writes such a key";
                    report.add(Finding::new(Kind::NotOurs, "bucket", what).key(key));
                    continue;
                };
                if questions.len() >= QUESTIONS_MAX {
                    take_one(&mut questions, inventory, report).await?;
                }
                let store = Store::clone(store);
                questions.spawn(async move {
                    let found = ask(|| store.head(&key)).await;
                    (key, found)
                });
                seen += 1;
                progress.set(seen, prefix);
            }
            while !questions.is_empty() {
                take_one(&mut questions, inventory, report).await?;
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
    }
    inventory.settle();
    Ok(())
}

async fn take_one(
    questions: &mut JoinSet<Answer>,
    inventory: &mut Inventory,
    report: &mut Report,
) -> Result<(), StoreError> {
    // A task that ended without an answer has panicked, which no request of ours does.
    let Some(Ok((key, found))) = questions.join_next().await else { return Ok(()) };
    let finding = match found {
        Ok(found) => inventory.add(key, found),
        Err(error) if is_store_away(&error) => return Err(error),
        Err(error) if error.kind == StoreErrorKind::NotFound => {
            let what = "it was listed and is gone";
            Some(Finding::new(Kind::Changed, "bucket", what).key(key))
        }
        Err(error) => {
            inventory.set_aside.insert(key.clone());
            Some(Finding::new(Kind::Unreadable, "bucket", error.to_string()).key(key))
        }
    };
    finding.into_iter().for_each(|finding| report.add(finding));
    Ok(())
}

#[cfg(test)]
mod tests;
