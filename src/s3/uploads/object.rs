//! One object in the making: what of it is stored, and what comes next.
//!
//! It owns: the states of an upload and the decision of the next step.
//! It does not own: requests, tasks (`actor` runs them).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::super::cancel::{Canceller, cancellation};
use super::super::metered::Metered;
use super::super::retry::{Retry, Stopped};
use super::super::store::{PartNumber, StoredPart, Target, UploadId};
use super::request::Requests;
use super::{Answer, AnswerTo};

/// A part that is to go up.
#[derive(Debug)]
pub(super) struct WaitingPart {
    pub number: PartNumber,
    pub body: Bytes,
    pub answer: AnswerTo,
}

#[derive(Debug)]
struct WaitingComplete {
    target: Arc<Target>,
    last: PartNumber,
    answer: AnswerTo,
}

#[derive(Debug)]
enum Upload {
    None,
    Creating,
    Ready(UploadId),
}

/// What an object wants done next.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing, until something that runs ends or another job comes.
    Wait,
    Create,
    Part {
        upload: UploadId,
        part: WaitingPart,
    },
    Complete {
        target: Arc<Target>,
        upload: UploadId,
        parts: Vec<StoredPart>,
        answer: AnswerTo,
    },
    /// Remove the upload.
    Abort(UploadId),
    /// Forget the object and answer its aborts.
    End(Vec<AnswerTo>),
}

#[derive(Debug)]
pub(super) struct State {
    pub target: Arc<Target>,
    pub requests: Requests,
    canceller: Canceller,
    upload: Upload,
    /// Tasks of this object that have not ended.
    running: usize,
    waiting: Vec<WaitingPart>,
    stored: BTreeMap<PartNumber, StoredPart>,
    complete: Option<WaitingComplete>,
    /// What the first failure says to everything that follows.
    broken: Option<Answer>,
    /// Published or called off: what is left of the upload goes.
    ending: Option<Vec<AnswerTo>>,
}

impl State {
    pub(super) fn new(target: Arc<Target>, store: Metered, retry: &Retry) -> Self {
        let (canceller, cancellation) = cancellation();
        let retry = retry.cancelled_by(cancellation.clone());
        Self {
            target,
            requests: Requests { store, retry, cancellation },
            canceller,
            upload: Upload::None,
            running: 0,
            waiting: Vec::new(),
            stored: BTreeMap::new(),
            complete: None,
            broken: None,
            ending: None,
        }
    }

    pub(super) fn add_part(&mut self, part: WaitingPart) {
        match &self.broken {
            Some(broken) => part.answer.send(broken.clone()),
            None => self.waiting.push(part),
        }
    }

    pub(super) fn add_complete(&mut self, target: Arc<Target>, last: PartNumber, answer: AnswerTo) {
        self.complete = Some(WaitingComplete { target, last, answer });
    }

    /// Calls off everything; parts and Complete that wait are answered `Aborted`.
    pub(super) fn abort(&mut self, answer: Option<AnswerTo>) {
        self.canceller.cancel();
        self.broken = Some(Answer::Aborted);
        self.waiting.clear();
        self.complete = None;
        self.ending.get_or_insert_default().extend(answer);
    }

    pub(super) fn started(&mut self) {
        self.running += 1;
    }

    pub(super) fn created(&mut self, result: Result<UploadId, Stopped>) {
        self.running -= 1;
        match result {
            Ok(upload) => self.upload = Upload::Ready(upload),
            Err(stopped) => {
                self.upload = Upload::None;
                self.fail(stopped.into());
            }
        }
    }

    pub(super) fn part_ended(&mut self, result: Result<StoredPart, Stopped>, answer: AnswerTo) {
        self.running -= 1;
        match result {
            Ok(part) => {
                self.stored.insert(part.number, part);
                answer.send(Answer::PartStored);
            }
            Err(stopped) => {
                let failure = Answer::from(stopped);
                answer.send(failure.clone());
                self.fail(failure);
            }
        }
    }

    /// Takes the end of Put or Complete, and the upload that is left over.
    pub(super) fn publish_ended(&mut self, leftover: Option<UploadId>) {
        self.running -= 1;
        self.upload = leftover.map_or(Upload::None, Upload::Ready);
        self.ending.get_or_insert_default();
    }

    pub(super) fn abort_ended(&mut self) {
        self.running -= 1;
    }

    /// Returns what is to be done now; to be asked until it says `Wait` or `End`.
    pub(super) fn next_step(&mut self) -> Step {
        if self.ending.is_some() {
            return self.next_step_of_the_end();
        }
        match &self.upload {
            Upload::None if !self.waiting.is_empty() => {
                self.upload = Upload::Creating;
                return Step::Create;
            }
            Upload::Ready(upload) => {
                if let Some(part) = self.waiting.pop() {
                    return Step::Part { upload: upload.clone(), part };
                }
            }
            Upload::None | Upload::Creating => {}
        }
        if self.running > 0 { Step::Wait } else { self.next_step_of_complete() }
    }

    fn next_step_of_complete(&mut self) -> Step {
        if let Some(broken) = &self.broken {
            let broken = broken.clone();
            let Some(complete) = self.complete.take() else { return Step::Wait };
            complete.answer.send(broken);
            self.ending = Some(Vec::new());
            return self.next_step_of_the_end();
        }
        let last = self.stored.last_key_value().map(|(number, _part)| *number);
        let is_gapless = last.is_some_and(|last| usize::from(last.value()) == self.stored.len());
        let is_due = |complete: &mut WaitingComplete| is_gapless && Some(complete.last) == last;
        let Upload::Ready(upload) = &self.upload else { return Step::Wait };
        let Some(complete) = self.complete.take_if(is_due) else { return Step::Wait };
        let parts = std::mem::take(&mut self.stored).into_values().collect();
        let WaitingComplete { target, answer, .. } = complete;
        Step::Complete { target, upload: upload.clone(), parts, answer }
    }

    fn next_step_of_the_end(&mut self) -> Step {
        if self.running > 0 {
            return Step::Wait;
        }
        match std::mem::replace(&mut self.upload, Upload::None) {
            Upload::Ready(upload) => Step::Abort(upload),
            Upload::None | Upload::Creating => Step::End(self.ending.take().unwrap_or_default()),
        }
    }

    fn fail(&mut self, failure: Answer) {
        for part in self.waiting.drain(..) {
            part.answer.send(failure.clone());
        }
        self.broken.get_or_insert(failure);
    }
}
