//! What the codes that answer an offset commit stand for. Each edge sorts its codes into these.

/// The meaning of a code that is not success (protocol rules 4 and 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// It may have been taken or not: repeat the identical commit.
    Ambiguous,
    /// A rebalance is running: hold back until it is over.
    Freeze,
    /// This member is none any more: nothing of it may commit again.
    Kill,
    /// As `Kill`, and the client would never notice: make a new one.
    NewClient,
    /// Definite for this partition.
    Refused,
    /// In no list: repeated a few times, then a refusal.
    Unlisted,
}
