//! Cuts, the slides they end, and the window: what closes when, and what a closed slide shows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::durable::Closed;
use super::level::Judged;
use super::{Effect, Event, Resumed, SlideReport, State};
use crate::checkpoint::Marks;
use crate::count::{Pairs, Ring, Window};
use crate::ids::{CutNumber, Millis, Offset, Partition, Position, Session};
use crate::wire::message::{Cut, ToExecutor};

/// Ends that are closed in one step at most.
const ENDS_AT_ONCE_MAX: usize = 1_000;
/// Slides that wait for answers at most; beyond it the next cut waits and is late.
const OPEN_MAX: usize = 128;

/// The slides: those still open, and the window of the closed ones.
#[derive(Debug)]
pub(super) struct Slides {
    pub ring: Ring,
    open: VecDeque<Open>,
    last_cut: CutNumber,
    /// The last window end that was cut for, or that is durable from earlier attempts.
    last_end_ms: Option<Millis>,
    /// The last window end that closed.
    pub closed_ms: Option<Millis>,
    /// Number of this attempt among all that windows come from.
    pub attempt: u32,
    /// Whether the first slide has begun.
    begun: bool,
    /// Window ends less the state's own time, which no step of the wall clock moves.
    shift_ms: Millis,
    /// Whether the next cut also ends what was written since an earlier attempt's last slide, or ends are missing
    /// between it and the slide before.
    after_gap: bool,
    /// How many slides before now were each the whole truth, without a gap.
    pub whole: u64,
}

/// A slide whose cut has been sent.
#[derive(Debug)]
pub(super) struct Open {
    cut: CutNumber,
    pub end_ms: Millis,
    /// When it began, by the state's own time.
    pub begin_ms: Millis,
    /// When the cut was sent, by the same.
    pub sent_ms: Millis,
    /// Ends that passed without a cut of their own before this one, and are not closed yet.
    skipped: VecDeque<Millis>,
    /// Whether there were any.
    late: bool,
    /// Whether the slide before it, of this attempt or an earlier one, did not end where it began.
    after_gap: bool,
    waiting: BTreeSet<Session>,
    answered: u32,
    pub pairs: Pairs,
    pub ranges: BTreeMap<Partition, ReadRange>,
}

/// What was read of one partition in one slide.
#[derive(Debug, Clone)]
pub(super) struct ReadRange {
    pub from: Offset,
    pub until: Position,
    /// Whether it was being read, as far as its reader knew.
    pub following: Following,
}

/// Whether a partition is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Following {
    /// It is.
    Yes,
    /// It is on its way to a reader, or that has not heard of its leader yet.
    Soon,
    /// Something keeps it from being read.
    No,
}

impl Slides {
    pub(super) fn new(ring: Ring, attempt: u32) -> Self {
        Self {
            ring,
            open: VecDeque::new(),
            last_cut: CutNumber(0),
            last_end_ms: None,
            closed_ms: None,
            attempt,
            begun: false,
            shift_ms: 0,
            after_gap: false,
            whole: 0,
        }
    }

    /// Goes on with the window of earlier attempts, of which some may have been of other applications.
    pub(super) fn resume(&mut self, resumed: Resumed) {
        let Resumed { ring, end_ms, whole, attempt } = resumed;
        self.ring = ring;
        (self.last_end_ms, self.closed_ms, self.whole) = (end_ms, end_ms, whole);
        self.attempt = self.attempt.max(attempt.saturating_add(1));
    }

    /// The first slide begins: it ends at the boundary after now and after everything durable. What was written since
    /// the last durable end is read in it, so that it is not the whole truth about its own time alone.
    fn begin(&mut self, now_ms: Millis, slide_ms: Millis) {
        let now_boundary = self.boundary(now_ms, slide_ms);
        if self.last_end_ms.is_none_or(|durable_ms| durable_ms < now_boundary) {
            self.after_gap = self.last_end_ms.is_some();
            self.last_end_ms = Some(now_boundary);
        }
        self.begun = true;
    }

    /// When the slide after the last cut began, by the state's own time; `None` before the first slide.
    pub(super) fn begun_ms(&self) -> Option<Millis> {
        self.last_end_ms.filter(|_| self.begun).map(|end_ms| end_ms - self.shift_ms)
    }

    /// The last window end that time has passed.
    fn boundary(&self, now_ms: Millis, slide_ms: Millis) -> Millis {
        (now_ms + self.shift_ms).div_euclid(slide_ms) * slide_ms
    }

    /// The next window end.
    fn next_end(&self, now_ms: Millis, slide_ms: Millis) -> Millis {
        let last = self.last_end_ms.unwrap_or(now_ms + self.shift_ms);
        (last.div_euclid(slide_ms) + 1) * slide_ms
    }

    /// When the next cut is due.
    pub(super) fn next_cut_ms(&self, now_ms: Millis, slide_ms: Millis) -> Millis {
        self.next_end(now_ms, slide_ms) - self.shift_ms
    }

    /// The number that the next cut will have.
    pub(super) fn next_cut(&self) -> CutNumber {
        self.last_cut.next()
    }

    pub(super) fn any_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether anyone has answered `cut` or a later one, which shows that it could be answered.
    pub(super) fn anyone_answered(&self, cut: CutNumber) -> bool {
        self.open.iter().any(|slide| slide.cut >= cut && slide.answered > 0)
    }

    pub(super) fn of_cut(&mut self, cut: CutNumber) -> Option<&mut Open> {
        self.open.iter_mut().find(|slide| slide.cut == cut)
    }

    /// Whether anything of this partition was accepted into a slide that is not closed.
    pub(super) fn holds(&self, partition: &Partition) -> bool {
        self.open.iter().any(|slide| slide.ranges.contains_key(partition))
    }

    /// The slide that closes next, or whose next end does; `has_room`: whether more may wait to be durable.
    fn next_to_close(&mut self, has_room: bool) -> Option<&mut Open> {
        let front = self.open.front_mut()?;
        (front.waiting.is_empty() && (has_room || front.skipped.is_empty())).then_some(front)
    }

    /// Whether closing goes on in the next step.
    pub(super) fn is_closing(&mut self, has_room: bool) -> bool {
        self.next_to_close(has_room).is_some()
    }

    /// Expects nothing more from an ended session.
    pub(super) fn forgive(&mut self, session: Session) {
        for slide in &mut self.open {
            slide.waiting.remove(&session);
        }
    }

    /// Memory held in the window and in slides that still wait for answers, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.ring.bytes() + self.open.iter().map(|slide| slide.pairs.bytes()).sum::<usize>()
    }

    /// Packs the newest bucket and takes away, ahead of time, what cannot be in the next window.
    pub(super) fn settle(&mut self, slide_ms: Millis, length_ms: Millis) {
        self.ring.settle();
        if let (Some(closed_ms), true) = (self.closed_ms, self.open.is_empty()) {
            self.ring.expire(closed_ms + slide_ms - length_ms);
        }
    }
}

impl Open {
    pub(super) fn answered(&mut self, session: Session) {
        self.waiting.remove(&session);
        self.answered += 1;
    }
}

impl State {
    /// The first slide begins when the start is durable and every partition has an owner.
    pub(super) fn begin_first_slide(&mut self, now_ms: Millis) {
        let owned = !self.partitions.is_empty() && self.partitions.all_owned();
        let durable = self.commits.start_is_durable() || self.durable.has_start();
        if !self.slides.begun && owned && durable {
            self.slides.begin(now_ms, self.settings.slide_ms);
            self.judge_start();
        }
    }

    /// Whether a cut could be sent if its time had come.
    pub(super) fn can_cut(&self) -> bool {
        self.slides.begun
            && self.stopping.is_none_or(|stopping| !stopping.last_cut_sent)
            && self.sessions.len() > 0
            && self.slides.open.len() < OPEN_MAX
            && self.durable.has_room()
    }

    pub(super) fn cut_if_due(&mut self, now_ms: Millis) {
        let last = self.stopping.is_some();
        let due_ms = self.slides.next_cut_ms(now_ms, self.settings.slide_ms);
        let is_cut = self.can_cut() && (last || now_ms >= due_ms);
        if is_cut {
            self.cut(now_ms, self.slides.next_end(now_ms, self.settings.slide_ms));
        }
        // Without room the last cut waits, until the deadline; without anyone to send it to it does not.
        let nobody = !self.slides.begun || self.sessions.len() == 0;
        if let Some(stopping) = self.stopping.as_mut().filter(|_| is_cut || nobody) {
            stopping.last_cut_sent = true;
        }
    }

    /// Window ends go on from another time. No time has passed, so the ends between are nobody's: they are not printed,
    /// and what was read since the last cut is in the first one after them, at once.
    pub(super) fn clock_stepped(&mut self, now_ms: Millis, by_ms: Millis) {
        let slide_ms = self.settings.slide_ms;
        let late_ms = now_ms - self.slides.next_cut_ms(now_ms, slide_ms);
        if self.slides.begun && late_ms >= slide_ms {
            // The driver has stalled besides: these ends have passed.
            self.cut_if_due(now_ms);
        }
        self.slides.shift_ms += by_ms;
        self.slides.after_gap = true;
        let before = self.slides.boundary(now_ms, slide_ms) - slide_ms;
        if self.slides.begun {
            self.slides.last_end_ms = self.slides.last_end_ms.max(Some(before));
        }
    }

    /// Ends the slide on every session at once. Ends that have passed before get no records: those read
    /// meanwhile are in this cut's answers. Those within a window length are shown, older ones are not.
    fn cut(&mut self, now_ms: Millis, next_end: Millis) {
        let slide_ms = self.settings.slide_ms;
        let end_ms = self.slides.boundary(now_ms, slide_ms).max(next_end);
        let earliest = next_end.max(end_ms - self.settings.length_ms);
        let skipped: VecDeque<_> =
            (0..).map(|n| earliest + n * slide_ms).take_while(|end| *end < end_ms).collect();
        let passed = ((end_ms - next_end) / slide_ms).unsigned_abs();
        if passed > 0 {
            self.out.push(Effect::Event(Event::SlidesSkipped(passed)));
        }
        let cut = self.slides.next_cut();
        self.slides.last_cut = cut;
        self.slides.last_end_ms = Some(end_ms);
        let sessions = self.sessions.all();
        for &session in &sessions {
            let release = self.take_leaving(session);
            self.sessions.owe(session, cut, release.clone(), now_ms);
            self.out.push(Effect::Send(session, ToExecutor::Cut(Cut { number: cut, release })));
        }
        self.slides.open.push_back(Open {
            cut,
            end_ms,
            begin_ms: end_ms - slide_ms - self.slides.shift_ms,
            sent_ms: now_ms,
            late: !skipped.is_empty(),
            skipped,
            after_gap: std::mem::take(&mut self.slides.after_gap),
            waiting: sessions.into_iter().collect(),
            answered: 0,
            pairs: Pairs::default(),
            ranges: BTreeMap::new(),
        });
    }

    /// Closes, in order, every slide that waits for nobody, with the ends that passed before it. Of these a stall may
    /// have left thousands: they go on in the next step, and wait for room in the checkpoint's queue.
    pub(super) fn close_slides(&mut self, now_ms: Millis) {
        for _ in 0..ENDS_AT_ONCE_MAX {
            let has_room = self.durable.has_room();
            let Some(slide) = self.slides.next_to_close(has_room) else { return };
            match slide.skipped.pop_front() {
                Some(end_ms) => self.pass(end_ms),
                None => {
                    let Some(slide) = self.slides.open.pop_front() else { return };
                    self.close(now_ms, slide);
                }
            }
        }
    }

    /// An end that passed without a cut: nothing was read.
    fn pass(&mut self, end_ms: Millis) {
        let unread = self.partitions.iter().map(|(partition, _)| partition.clone()).collect();
        self.slides.whole = 0;
        self.push(end_ms, Pairs::default());
        self.show(end_ms, None, Judged { unread, ..Judged::default() }, BTreeMap::new());
    }

    fn close(&mut self, now_ms: Millis, slide: Open) {
        for (partition, range) in &slide.ranges {
            if let Some(held) = self.partitions.get_mut(partition) {
                // A base says which topic is counted, so that the next driver takes the one that is there now for it.
                if held.closed.topic_id != range.until.topic_id {
                    self.durable.want_base();
                }
                held.closed = range.until;
            }
        }
        let judged = self.judge_slide(now_ms, &slide);
        let whole = judged.whole && !slide.late && !slide.after_gap;
        self.slides.whole = if whole { self.slides.whole + 1 } else { 0 };
        self.push(slide.end_ms, slide.pairs);
        self.show(slide.end_ms, Some(slide.cut), judged, slide.ranges);
    }

    /// Makes the window the one that ends at `end_ms`: buckets leave by their end, not by how many there are.
    fn push(&mut self, end_ms: Millis, pairs: Pairs) {
        self.keep_newest();
        self.slides.ring.expire(end_ms - self.settings.length_ms);
        self.slides.ring.push(end_ms, pairs);
        self.slides.closed_ms = Some(end_ms);
    }

    fn show(
        &mut self,
        end_ms: Millis,
        cut: Option<CutNumber>,
        judged: Judged,
        ranges: BTreeMap<Partition, ReadRange>,
    ) {
        let Judged { unread, behind_ms, .. } = judged;
        let ring = &self.slides.ring;
        let slides = (self.settings.length_ms / self.settings.slide_ms).unsigned_abs();
        let ranges: Vec<_> = ranges.into_iter().map(|(p, range)| (p, range.from, range.until)).collect();
        let window = Window {
            start_ms: end_ms - self.settings.length_ms,
            end_ms,
            attempt: self.slides.attempt,
            total: ring.total(),
            distinct: ring.distinct(),
            complete: self.slides.whole >= slides,
            behind_ms,
            unread,
            top: ring.rank(self.settings.top),
            ranges: ranges.iter().map(|(p, from, until)| (p.clone(), *from, until.offset)).collect(),
        };
        let marks = Marks {
            complete: window.complete,
            whole: self.slides.whole,
            behind_ms,
            unread: window.unread.clone(),
        };
        let mut shown = Vec::new();
        if self.settings.report_slides {
            let owned = |(key, count): (Option<&[u8]>, u64)| (key.map(Into::into), count);
            let counts = ring.newest().map(owned).collect();
            shown.push(Effect::Slide(SlideReport { end_ms, cut, ranges: ranges.clone(), counts }));
        }
        shown.push(Effect::Print(window));
        self.settle_or_keep(Closed { end_ms, marks, ranges }, shown);
    }
}
