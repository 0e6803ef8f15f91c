//! The task that runs the uploads: one loop, ended requests before new jobs.
//!
//! It owns: the objects in the making, the tasks of their requests.
//! It does not own: the next step of an object (`object`), its requests (`request`).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tracing::error;

use super::super::cancel::{Cancellation, Canceller, cancellation};
use super::super::metered::Metered;
use super::super::observe::UploadObserver;
use super::super::publish::PublishOutcome;
use super::super::retry::{Retry, Stopped};
use super::super::store::{Store, StoredPart, UploadId};
use super::super::throttle::Throttle;
use super::object::{State, Step, WaitingPart};
use super::request::Requests;
use super::{Answer, AnswerTo, Job, Message, Object, ObjectId};

/// What a task says when it ends.
enum Event {
    Created(ObjectId, Result<UploadId, Stopped>),
    Part(ObjectId, Result<StoredPart, Stopped>, AnswerTo),
    Published(ObjectId, Option<UploadId>, Result<PublishOutcome, Stopped>, AnswerTo),
    Aborted(ObjectId),
    Claim,
}

pub(super) struct Actor {
    messages: mpsc::UnboundedReceiver<Message>,
    observer: Arc<dyn UploadObserver>,
    requests: Arc<Semaphore>,
    throttle: Arc<Throttle>,
    retry: Retry,
    /// Ends claims at the close; objects have their own.
    canceller: Canceller,
    cancellation: Cancellation,
    /// How unfinished uploads are removed: the close does not call that off.
    retry_of_aborts: Retry,
    /// Ends what removes uploads when the loop is dropped.
    _canceller_of_aborts: Canceller,
    objects: BTreeMap<ObjectId, State>,
    tasks: JoinSet<Event>,
    is_closing: bool,
}

impl Actor {
    pub(super) fn new(
        messages: mpsc::UnboundedReceiver<Message>,
        observer: Arc<dyn UploadObserver>,
        retry: &Retry,
        requests_max: usize,
    ) -> Self {
        let (canceller, cancelled) = cancellation();
        let (canceller_of_aborts, aborts_cancelled) = cancellation();
        let retry = retry.cancelled_by(cancelled.clone());
        Self {
            messages,
            requests: Arc::new(Semaphore::new(requests_max.max(1))),
            throttle: Throttle::new(requests_max),
            retry_of_aborts: retry.cancelled_by(aborts_cancelled),
            _canceller_of_aborts: canceller_of_aborts,
            retry,
            observer,
            canceller,
            cancellation: cancelled,
            objects: BTreeMap::new(),
            tasks: JoinSet::new(),
            is_closing: false,
        }
    }

    pub(super) async fn run(mut self) {
        while !(self.is_closing && self.tasks.is_empty()) {
            tokio::select! {
                biased;
                // cancel-safe: a task that ended stays in the set until it is taken
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(event) => self.ended(event),
                    Err(bug) => return error!(error = %bug, "a task of the uploads ended by a bug"),
                },
                // cancel-safe: a message stays in the channel until it is taken
                message = self.messages.recv(), if !self.is_closing => match message {
                    Some(Message::Job(job)) => self.take(job),
                    Some(Message::Close) | None => self.close(),
                },
            }
        }
    }

    fn close(&mut self) {
        self.is_closing = true;
        self.canceller.cancel();
        self.messages.close();
        // dropped, and so answered
        while self.messages.try_recv().is_ok() {}
        let objects: Vec<ObjectId> = self.objects.keys().copied().collect();
        for object in objects {
            if let Some(state) = self.objects.get_mut(&object) {
                state.abort(None);
            }
            self.advance(object);
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Part { object, number, body, answer } => {
                self.state(&object).add_part(WaitingPart { number, body, answer });
                self.advance(object.id);
            }
            Job::Put { object, body, answer } => self.put(object, body, answer),
            Job::Complete { object, last, answer } => {
                let target = Arc::clone(&object.target);
                self.state(&object).add_complete(target, last, answer);
                self.advance(object.id);
            }
            Job::Abort { object, answer } => match self.objects.get_mut(&object) {
                Some(state) => {
                    state.abort(Some(answer));
                    self.advance(object);
                }
                None => answer.send(Answer::Aborted),
            },
            Job::ReadClaim { store, key, bytes_max, answer } => {
                let requests = self.claim_requests(&store);
                self.claim(requests.cancellation.clone(), answer, async move {
                    requests.read_claim(key, bytes_max).await
                });
            }
            Job::WriteClaim { store, key, text, condition, answer } => {
                let requests = self.claim_requests(&store);
                self.claim(requests.cancellation.clone(), answer, async move {
                    requests.write_claim(key, text.into(), condition).await
                });
            }
        }
    }

    fn state(&mut self, object: &Object) -> &mut State {
        let store = self.metered(&object.store);
        let retry = &self.retry;
        self.objects
            .entry(object.id)
            .or_insert_with(|| State::new(Arc::clone(&object.target), store, retry))
    }

    fn metered(&self, store: &Store) -> Metered {
        let (requests, throttle) = (Arc::clone(&self.requests), Arc::clone(&self.throttle));
        Metered::new(Arc::clone(store), requests, throttle, Arc::clone(&self.observer))
    }

    fn put(&mut self, object: Object, body: Bytes, answer: AnswerTo) {
        let id = object.id;
        let state = self.state(&object);
        state.started();
        let requests = state.requests.clone();
        self.tasks.spawn(async move {
            Event::Published(id, None, requests.put(object.target, body).await, answer)
        });
    }

    fn claim_requests(&self, store: &Store) -> Requests {
        let (retry, cancellation) = (self.retry.clone(), self.cancellation.clone());
        Requests { store: self.metered(store), retry, cancellation }
    }

    fn claim(
        &mut self,
        cancellation: Cancellation,
        answer: AnswerTo,
        work: impl Future<Output = Answer> + Send + 'static,
    ) {
        self.tasks.spawn(async move {
            let result = tokio::select! {
                biased;
                // cancel-safe: it only watches
                () = cancellation.cancelled() => Answer::Aborted,
                // dropped at the close: nobody wants the answer any more
                result = work => result,
            };
            answer.send(result);
            Event::Claim
        });
    }

    fn ended(&mut self, event: Event) {
        let object = match &event {
            Event::Created(object, ..)
            | Event::Part(object, ..)
            | Event::Published(object, ..)
            | Event::Aborted(object) => *object,
            Event::Claim => return,
        };
        let Some(state) = self.objects.get_mut(&object) else { return };
        match event {
            Event::Created(_, result) => state.created(result),
            Event::Part(_, result, answer) => state.part_ended(result, answer),
            Event::Published(_, upload, result, answer) => {
                // unless the upload became the object, it is left over
                let is_gone = matches!(
                    result,
                    Ok(PublishOutcome::Published { already: false } | PublishOutcome::UploadLost)
                );
                answer.send(result.map_or_else(Answer::from, Answer::Published));
                state.publish_ended(upload.filter(|_upload| !is_gone));
            }
            Event::Aborted(_) => state.abort_ended(),
            Event::Claim => {}
        }
        self.advance(object);
    }

    /// Runs the steps that an object can take now.
    fn advance(&mut self, id: ObjectId) {
        while let Some(state) = self.objects.get_mut(&id) {
            let step = state.next_step();
            let (requests, target) = (state.requests.clone(), Arc::clone(&state.target));
            match step {
                Step::Wait => return,
                Step::Create => {
                    state.started();
                    let work = requests.create(target);
                    self.tasks.spawn(async move { Event::Created(id, work.await) });
                }
                Step::Part { upload, part } => {
                    state.started();
                    let WaitingPart { number, body, answer } = part;
                    let work = requests.part(target, upload, number, body);
                    self.tasks.spawn(async move { Event::Part(id, work.await, answer) });
                }
                Step::Complete { target, upload, parts, answer } => {
                    state.started();
                    let work = requests.complete(target, upload.clone(), parts);
                    self.tasks.spawn(async move {
                        Event::Published(id, Some(upload), work.await, answer)
                    });
                }
                Step::Abort(upload) => {
                    state.started();
                    // the object's own cancellation must not call this off
                    let (retry, key) = (self.retry_of_aborts.clone(), target.key.clone());
                    let work = Requests { retry, ..requests }.abort(key, upload);
                    self.tasks.spawn(async move {
                        work.await;
                        Event::Aborted(id)
                    });
                }
                Step::End(answers) => {
                    self.objects.remove(&id);
                    // each says `Aborted` by its drop
                    drop(answers);
                }
            }
        }
    }
}
