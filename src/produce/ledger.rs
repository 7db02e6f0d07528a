//! Every post accounted for, from the source to Kafka's acknowledgement, and how far the cursor may go. Pure: no clock,
//! no I/O. Fed with events by `run`, which sends what it offers and enters what Kafka says.
//!
//! A post waits in `queue`, then is in `flight` until Kafka has answered. Flights are numbered in the order in which they
//! were handed over, and the cursor follows the longest run of answered ones:
//!
//! ```text
//! flight   7 acknowledged   8 open   9 acknowledged      the cursor stands behind 7
//! queue                                                10 11 12
//! ```
//!
//! With transactions an answer counts when its transaction is committed. Until then the posts are kept, and are sent again
//! under their numbers if it is aborted.
//!
//! What is no post (control, malformed, a duplicate, a dropped one) has no number. Its place is kept by the last thing
//! before it that is not done yet, so that the cursor passes it together with that.

use std::collections::VecDeque;
use std::time::Duration;

use super::event::{Event, Kind, Malformed, Post, Resume};
use crate::config::producer::{Unmatched, WhenFull};
use crate::ids::Offset;

mod accounts;
mod progress;
mod recalled;
mod rules;
mod seen;

pub use accounts::Accounts;
pub use progress::{Ends, Progress};
pub use recalled::Recalled;
pub use rules::Rules;
pub use seen::Seen;

/// Bytes of posts that wait; beyond it the queue counts as full.
pub const QUEUE_BYTES_MAX: usize = 32 << 20;
/// Bytes of posts that are kept until they are committed; beyond it nothing more is sent before that.
pub const FLIGHT_BYTES_MAX: usize = 32 << 20;
/// Usual value of [`Rules::flight_posts`].
pub const FLIGHT_POSTS: usize = 100_000;

/// The books of one run.
#[derive(Debug)]
pub struct Ledger {
    rules: Rules,
    accounts: Accounts,
    queue: VecDeque<Waiting>,
    queue_bytes: usize,
    flight: VecDeque<Flight>,
    flight_bytes: usize,
    /// Number of the first entry of `flight`.
    first: u64,
    /// Number of the next entry of `flight` to be sent again; `None` if there is none.
    again: Option<u64>,
    progress: Progress,
    seen: Seen,
    recalled: Recalled,
    /// Records that an earlier run sent behind its cursor, and that will be sent again because nothing names them.
    to_repeat: u64,
}

/// A post that waits for Kafka.
#[derive(Debug)]
struct Waiting {
    post: Post,
    /// Where the source goes on behind it, and behind what followed it without a number of its own.
    resume: Option<Resume>,
}

/// A post that was handed to Kafka.
#[derive(Debug)]
struct Flight {
    keyword: Option<u16>,
    answer: Answer,
    resume: Option<Resume>,
    /// The post, until it is committed; `None` without transactions.
    kept: Option<Post>,
}

/// What Kafka said of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Open,
    /// Written, but its transaction is open.
    Written(Place),
    Acknowledged(Place),
    Failed,
}

/// Where a record is. Kafka does not always say at which offset.
type Place = (i32, Option<Offset>);

impl Ledger {
    /// Books that go on from `progress`, where the topic holds what is `recalled` already.
    pub fn new(rules: Rules, progress: Progress, seen: Seen, recalled: Recalled) -> Self {
        Self {
            accounts: Accounts::new(rules.keywords),
            rules,
            queue: VecDeque::new(),
            queue_bytes: 0,
            flight: VecDeque::new(),
            flight_bytes: 0,
            first: 0,
            again: None,
            progress,
            seen,
            recalled,
            to_repeat: 0,
        }
    }

    /// So many records in the topic will be sent again: an earlier run sent them, and nothing names them. Never fewer than
    /// there are; after several kills in a row it may be more.
    pub fn expect_repeats(&mut self, records: u64) {
        self.to_repeat = records;
        self.settle_if_all_came();
    }

    /// What came and what became of it.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Where the source goes on after a restart; `None` if it cannot say.
    pub fn resume(&self) -> Option<&Resume> {
        self.progress.resume()
    }

    /// From where the topic must be read after a restart at [`Ledger::resume`].
    pub fn saved_ends(&self) -> Ends {
        self.progress.saved_ends()
    }

    /// Posts that wait.
    pub fn queued(&self) -> u64 {
        self.queue.len() as u64
    }

    /// Posts that Kafka has not answered for.
    pub fn in_flight(&self) -> u64 {
        self.accounts.sent - self.accounts.acknowledged - self.accounts.failed
    }

    /// Whether another event may be taken. Without room the source waits; it always has room if it drops what finds no
    /// place.
    pub fn has_room(&self) -> bool {
        self.rules.when_full != WhenFull::Block || !self.is_full()
    }

    fn is_full(&self) -> bool {
        self.queue.len() >= self.rules.queue_posts || self.queue_bytes >= QUEUE_BYTES_MAX
    }

    /// Enters what came from the source. `now` is monotonic. To be called only while there is room.
    pub fn take(&mut self, event: Event, now: Duration) {
        let Event { kind, resume } = event;
        let post = match kind {
            Kind::Gap(gap) => {
                self.accounts.gaps += 1;
                self.accounts.gap_ms += u64::try_from(gap.until_ms - gap.from_ms).unwrap_or(0);
                return self.passed(resume);
            }
            Kind::Post(post) => post,
            Kind::Control => {
                self.accounts.received += 1;
                self.accounts.control += 1;
                return self.passed(resume);
            }
            Kind::Malformed(reason) => {
                self.accounts.received += 1;
                self.enter_malformed(reason);
                return self.passed(resume);
            }
        };
        self.accounts.received += 1;
        self.progress.comes(resume.as_ref());
        if self.is_known(&post, now) {
            self.accounts.duplicate += 1;
            return self.passed(resume);
        }
        if post.keyword.is_none() {
            self.accounts.unmatched += 1;
            if self.rules.unmatched == Unmatched::Drop {
                self.accounts.unmatched_dropped += 1;
                return self.passed(resume);
            }
        }
        if self.is_full() {
            self.accounts.dropped += 1;
            match self.rules.when_full {
                WhenFull::Block | WhenFull::DropNew => return self.passed(resume),
                WhenFull::DropOld => self.drop_oldest(),
            }
            // The bytes of one post may be those of many.
            while self.is_full() && !self.queue.is_empty() {
                self.accounts.dropped += 1;
                self.drop_oldest();
            }
        }
        self.queue_bytes += post.json.len();
        self.queue.push_back(Waiting { post, resume });
    }

    /// Whether a post came before, in this run or in one whose records were found in the topic.
    fn is_known(&mut self, post: &Post, now: Duration) -> bool {
        let Some(id) = post.id else { return false };
        let in_topic = self.recalled.strike(id, post);
        if in_topic {
            self.settle_if_all_came();
        }
        !self.seen.insert(id, now) || in_topic
    }

    /// So much time has passed that nothing which was found in the topic is expected any more.
    pub fn expect_no_more(&mut self) {
        self.recalled = Recalled::default();
        self.to_repeat = 0;
        self.settle_if_all_came();
    }

    fn settle_if_all_came(&mut self) {
        if self.recalled.is_empty() && self.to_repeat == 0 {
            self.progress.settle_at(self.next_number());
        }
    }

    /// Of the post that comes next, if it is to be sent.
    fn next_number(&self) -> u64 {
        self.first + self.flight.len() as u64 + self.queued()
    }

    /// How often ids were forgotten early because there were too many.
    pub fn forgot_early(&self) -> u64 {
        self.seen.closed_early()
    }

    fn enter_malformed(&mut self, reason: Malformed) {
        self.accounts.malformed += 1;
        if reason == Malformed::TooLong {
            self.accounts.too_long += 1;
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(Waiting { post, resume }) = self.queue.pop_front() {
            self.queue_bytes -= post.json.len();
            self.sent_all_until(resume);
        }
    }

    /// Something is done that has no number: the last thing before it keeps its place.
    fn passed(&mut self, resume: Option<Resume>) {
        match self.queue.back_mut() {
            Some(last) if resume.is_some() => last.resume = resume,
            Some(_) => {}
            None => self.sent_all_until(resume),
        }
    }

    /// The same for what stood before everything that waits.
    fn sent_all_until(&mut self, resume: Option<Resume>) {
        let Some(resume) = resume else { return };
        match self.flight.back_mut() {
            Some(last) => last.resume = Some(resume),
            None => self.progress.go_on_at(resume),
        }
    }

    /// The next post for Kafka, and its number; `None` if there is none, or if too many are unanswered.
    pub fn next(&self) -> Option<(u64, &Post)> {
        if let Some(number) = self.again {
            return Some((number, self.flight.get(self.index(number)?)?.kept.as_ref()?));
        }
        if self.flight.len() >= self.rules.flight_posts || self.flight_bytes >= FLIGHT_BYTES_MAX {
            return None;
        }
        let waiting = self.queue.front()?;
        Some((self.first + self.flight.len() as u64, &waiting.post))
    }

    /// The post that [`Ledger::next`] offered was handed over.
    pub fn sent(&mut self) {
        if let Some(number) = self.again {
            self.again = self.to_send_again(number + 1);
            return;
        }
        let Some(Waiting { post, resume }) = self.queue.pop_front() else { return };
        self.queue_bytes -= post.json.len();
        let keyword = post.keyword;
        let kept = self.rules.transactions.then_some(post);
        self.flight_bytes += kept.as_ref().map_or(0, |post| post.json.len());
        self.flight.push_back(Flight { keyword, answer: Answer::Open, resume, kept });
        self.accounts.sent += 1;
        if self.to_repeat > 0 {
            self.to_repeat -= 1;
            self.accounts.resent += 1;
            self.settle_if_all_came();
        }
    }

    /// Kafka has the record of this number. Counts at once, or with [`Ledger::committed`].
    pub fn acknowledged(&mut self, number: u64, partition: i32, offset: Option<Offset>) {
        let transactions = self.rules.transactions;
        let Some(flight) = self.open(number) else { return };
        let (keyword, place) = (flight.keyword, (partition, offset));
        flight.answer = if transactions { Answer::Written(place) } else { Answer::Acknowledged(place) };
        self.accounts.resent += self.progress.answered(number, partition, offset);
        if !transactions {
            self.accounts.acknowledge(keyword);
            self.advance();
        }
    }

    /// Kafka refused the record of this number for good.
    pub fn failed(&mut self, number: u64) {
        let Some(flight) = self.open(number) else { return };
        flight.answer = Answer::Failed;
        self.accounts.failed += 1;
        self.advance();
    }

    /// The transaction was committed: everything written in it counts.
    pub fn committed(&mut self) {
        for flight in &mut self.flight {
            if let Answer::Written(place) = flight.answer {
                flight.answer = Answer::Acknowledged(place);
                self.accounts.acknowledge(flight.keyword);
            }
        }
        self.advance();
    }

    /// The transaction was aborted: what Kafka did not refuse for good is sent again.
    pub fn aborted(&mut self) {
        for flight in &mut self.flight {
            if let Answer::Written(_) = flight.answer {
                flight.answer = Answer::Open;
            }
        }
        self.again = self.to_send_again(self.first);
    }

    /// Whether posts of an aborted transaction are still to be sent again.
    pub fn sends_again(&self) -> bool {
        self.again.is_some()
    }

    /// Whether Kafka has answered for everything that was handed over.
    pub fn is_answered(&self) -> bool {
        self.again.is_none() && self.flight.iter().all(|flight| flight.answer != Answer::Open)
    }

    /// The first post from `number` on that has no answer.
    fn to_send_again(&self, number: u64) -> Option<u64> {
        let from = self.index(number)?;
        let open = self.flight.iter().skip(from).position(|flight| flight.answer == Answer::Open)?;
        Some(number + open as u64)
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    fn open(&mut self, number: u64) -> Option<&mut Flight> {
        let index = self.index(number)?;
        self.flight.get_mut(index).filter(|flight| flight.answer == Answer::Open)
    }

    fn advance(&mut self) {
        let is_done = |flight: &mut Flight| matches!(flight.answer, Answer::Acknowledged(_) | Answer::Failed);
        while let Some(flight) = self.flight.pop_front_if(is_done) {
            let number = self.first;
            self.first += 1;
            self.flight_bytes -= flight.kept.map_or(0, |post| post.json.len());
            if let Answer::Acknowledged((partition, offset)) = flight.answer {
                self.progress.wrote(number, partition, offset);
            }
            if let Some(resume) = flight.resume {
                self.progress.go_on_at(resume);
            }
        }
    }
}

#[cfg(test)]
mod tests;
