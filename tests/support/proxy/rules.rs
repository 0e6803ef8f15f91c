//! What happens to which request: the rules that both proxies share.
//!
//! It owns: matching, counting, holds and their verdicts, and the list of what was seen.
//! It does not own: bytes. `R` is a request as a proxy understood it, `A` an answer of its own.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How long a test waits for a held request, and for a delivered one to come through.
const STEP_IN: Duration = Duration::from_secs(60);

type Matcher<R> = Box<dyn Fn(&R) -> bool + Send + Sync>;

/// Which requests a rule means: those that match, without the first ones, so and so often (once,
/// unless said otherwise).
pub struct On<R> {
    wanted: Vec<Matcher<R>>,
    skip: usize,
    times: usize,
}

impl<R> On<R> {
    pub fn matching(wanted: impl Fn(&R) -> bool + Send + Sync + 'static) -> Self {
        Self { wanted: vec![Box::new(wanted)], skip: 0, times: 1 }
    }

    #[must_use]
    pub fn and(mut self, wanted: impl Fn(&R) -> bool + Send + Sync + 'static) -> Self {
        self.wanted.push(Box::new(wanted));
        self
    }

    /// Lets the first `skip` matching requests through.
    #[must_use]
    pub fn skip(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Whether the rule acts on this request; counts it.
    fn takes(&mut self, request: &R) -> bool {
        if self.times == 0 || !self.wanted.iter().all(|wanted| wanted(request)) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

/// Where a held exchange stands: the server has not seen the request, or has answered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

/// What a rule does.
pub enum Effect<R, A> {
    Hold(When, Arc<Held<R>>),
    /// The connection is cut and the server sees nothing.
    DropRequest,
    /// The server acts, the connection is cut before its answer.
    DropAnswer,
    /// The server sees nothing, the client gets this.
    Answer(A),
    /// The server acts, the client gets this.
    DeliverThenAnswer(A),
    Delay(Duration),
    /// The server sees nothing and the client waits.
    Hang,
}

/// What a proxy does with a request, now that every wait is over.
pub enum Passage<R, A> {
    Forward(AnswerFate<R, A>),
    Reply(A),
    Cut,
    Hang,
}

/// What a proxy does with the server's answer.
pub enum AnswerFate<R, A> {
    /// The ticket, if any, tells the test that the answer is through.
    Pass(Option<Ticket<R>>),
    Cut(Option<Ticket<R>>),
    Replace(A),
    Hold(Ticket<R>, Arc<R>),
}

/// What a proxy does with the answer, now that every wait is over.
pub enum Ending<A> {
    Pass,
    Cut,
    Replace(A),
}

pub struct Rules<R, A> {
    rules: Mutex<Vec<Rule<R, A>>>,
    seen: Mutex<Vec<Arc<R>>>,
}

struct Rule<R, A> {
    on: On<R>,
    effect: Effect<R, A>,
}

impl<R, A> Default for Rules<R, A> {
    fn default() -> Self {
        Self { rules: Mutex::default(), seen: Mutex::default() }
    }
}

impl<R, A: Clone> Rules<R, A> {
    pub fn add(&self, on: On<R>, effect: Effect<R, A>) {
        self.rules.lock().unwrap().push(Rule { on, effect });
    }

    /// Holds one request; the handle is the only way on. An `On` for several holds the first.
    pub fn hold(&self, on: On<R>, when: When) -> Hold<R> {
        let held = Arc::new(Held::default());
        self.add(on.times(1), Effect::Hold(when, Arc::clone(&held)));
        Hold { held }
    }

    /// Everything from now on passes; held requests stay held.
    pub fn clear(&self) {
        self.rules.lock().unwrap().clear();
    }

    /// Every request so far, in order of arrival.
    pub fn seen(&self) -> Vec<Arc<R>> {
        self.seen.lock().unwrap().clone()
    }

    /// Writes the request down and finds the first rule that takes it. Never blocks.
    pub fn decide(&self, request: &Arc<R>) -> Option<Effect<R, A>> {
        self.seen.lock().unwrap().push(Arc::clone(request));
        let mut rules = self.rules.lock().unwrap();
        rules.iter_mut().find_map(|rule| rule.on.takes(request).then(|| rule.effect.clone()))
    }
}

impl<R, A: Clone> Clone for Effect<R, A> {
    fn clone(&self) -> Self {
        match self {
            Self::Hold(when, held) => Self::Hold(*when, Arc::clone(held)),
            Self::DropRequest => Self::DropRequest,
            Self::DropAnswer => Self::DropAnswer,
            Self::Answer(answer) => Self::Answer(answer.clone()),
            Self::DeliverThenAnswer(answer) => Self::DeliverThenAnswer(answer.clone()),
            Self::Delay(delay) => Self::Delay(*delay),
            Self::Hang => Self::Hang,
        }
    }
}

impl<R, A> Effect<R, A> {
    /// Whether [`Self::admit`] takes time.
    pub const fn waits(&self) -> bool {
        matches!(self, Self::Hold(When::Before, _) | Self::Delay(_))
    }

    /// Waits as the rule says and tells what to do with the request.
    pub fn admit(self, request: &Arc<R>) -> Passage<R, A> {
        match self {
            Self::Hold(When::Before, held) => {
                let ticket = Ticket { held };
                match ticket.ask(request) {
                    Verdict::Deliver => Passage::Forward(AnswerFate::Pass(Some(ticket))),
                    Verdict::DropAnswer => Passage::Forward(AnswerFate::Cut(Some(ticket))),
                    Verdict::Drop => Passage::Cut,
                }
            }
            Self::Hold(When::After, held) => {
                Passage::Forward(AnswerFate::Hold(Ticket { held }, Arc::clone(request)))
            }
            Self::DropRequest => Passage::Cut,
            Self::DropAnswer => Passage::Forward(AnswerFate::Cut(None)),
            Self::Answer(answer) => Passage::Reply(answer),
            Self::DeliverThenAnswer(answer) => Passage::Forward(AnswerFate::Replace(answer)),
            Self::Delay(delay) => {
                std::thread::sleep(delay);
                Passage::Forward(AnswerFate::Pass(None))
            }
            Self::Hang => Passage::Hang,
        }
    }
}

impl<R, A> AnswerFate<R, A> {
    /// Whether [`Self::settle`] takes time.
    pub const fn waits(&self) -> bool {
        matches!(self, Self::Hold(..))
    }

    /// Waits as the rule says; the ticket is to be kept until the answer is through.
    pub fn settle(self) -> (Ending<A>, Option<Ticket<R>>) {
        match self {
            Self::Pass(ticket) => (Ending::Pass, ticket),
            Self::Cut(ticket) => (Ending::Cut, ticket),
            Self::Replace(answer) => (Ending::Replace(answer), None),
            Self::Hold(ticket, request) => match ticket.ask(&request) {
                Verdict::Deliver => (Ending::Pass, Some(ticket)),
                Verdict::DropAnswer | Verdict::Drop => (Ending::Cut, Some(ticket)),
            },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Deliver,
    Drop,
    DropAnswer,
}

/// The meeting point of the test and the proxy's thread.
pub struct Held<R> {
    state: Mutex<HeldState<R>>,
    changed: Condvar,
}

struct HeldState<R> {
    reached: Option<Arc<R>>,
    verdict: Option<Verdict>,
    done: bool,
}

impl<R> Default for Held<R> {
    fn default() -> Self {
        let state = HeldState { reached: None, verdict: None, done: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }
}

/// The proxy's side of a hold; the exchange is over when it is dropped.
pub struct Ticket<R> {
    held: Arc<Held<R>>,
}

impl<R> Ticket<R> {
    fn ask(&self, request: &Arc<R>) -> Verdict {
        let mut state = self.held.state.lock().unwrap();
        state.reached = Some(Arc::clone(request));
        self.held.changed.notify_all();
        let state = self.held.changed.wait_while(state, |state| state.verdict.is_none()).unwrap();
        state.verdict.expect("waited for it above")
    }
}

impl<R> Drop for Ticket<R> {
    fn drop(&mut self) {
        self.held.state.lock().unwrap().done = true;
        self.held.changed.notify_all();
    }
}

/// The test's side of a hold. Dropped without a verdict, it cuts the connection.
#[must_use]
pub struct Hold<R> {
    held: Arc<Held<R>>,
}

impl<R> Hold<R> {
    /// Waits until a request is held and returns it.
    #[track_caller]
    pub fn reached(&self) -> Arc<R> {
        let state = self.held.state.lock().unwrap();
        let waited =
            self.held.changed.wait_timeout_while(state, STEP_IN, |state| state.reached.is_none());
        let state = waited.unwrap().0;
        let reached = state.reached.clone();
        drop(state);
        reached.unwrap_or_else(|| panic!("no request came to be held in {STEP_IN:?}"))
    }

    pub fn is_reached(&self) -> bool {
        self.held.state.lock().unwrap().reached.is_some()
    }

    /// Lets the exchange go on, and returns when its answer is through (or its client gone).
    #[track_caller]
    pub fn deliver(self) {
        self.decide(Verdict::Deliver);
    }

    /// Cuts the connection: a request held before the server never gets there.
    #[track_caller]
    pub fn drop_it(self) {
        self.decide(Verdict::Drop);
    }

    /// Lets the server act, and cuts the connection in place of its answer.
    #[track_caller]
    pub fn deliver_and_drop_answer(self) {
        self.decide(Verdict::DropAnswer);
    }

    #[track_caller]
    fn decide(&self, verdict: Verdict) {
        self.reached();
        let mut state = self.held.state.lock().unwrap();
        state.verdict = Some(verdict);
        self.held.changed.notify_all();
        let waited = self.held.changed.wait_timeout_while(state, STEP_IN, |state| !state.done);
        let done = waited.unwrap().0.done;
        assert!(done, "the held request did not come through in {STEP_IN:?}");
    }
}

impl<R> Drop for Hold<R> {
    fn drop(&mut self) {
        let mut state = self.held.state.lock().unwrap();
        state.verdict.get_or_insert(Verdict::Drop);
        drop(state);
        self.held.changed.notify_all();
    }
}
