//! What the coordinator has answered of the group's commits.

use std::collections::BTreeMap;

use tracing::warn;

use crate::kafka::ffi::Committed;
use crate::model::TopicPartition;

/// Leaves out what was answered with an error: it is no sign that nothing is committed.
pub(super) fn readable(found: Vec<Committed>) -> BTreeMap<TopicPartition, Committed> {
    let is_readable = |found: &Committed| match found.error {
        None => true,
        Some(code) => {
            warn!(partition = %found.partition, %code, "the committed offset could not be read yet");
            false
        }
    };
    let readable = found.into_iter().filter(is_readable);
    readable.map(|found| (found.partition.clone(), found)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::ffi::ErrorCode;

    #[test]
    fn a_committed_offset_that_could_not_be_read_is_not_taken_for_none() {
        let committed = |index, error| {
            let partition = TopicPartition::new("pin", index).unwrap();
            Committed { partition, offset: None, metadata: Vec::new(), error }
        };
        let loading = ErrorCode::new(14); // COORDINATOR_LOAD_IN_PROGRESS
        let found = readable(vec![committed(0, loading), committed(1, None)]);
        assert_eq!(found.into_values().collect::<Vec<_>>(), [committed(1, None)]);
    }
}
