//! The checkpoint's writer as the driver sees one: orders in; later, or never, something is durable. One write under
//! way; what waits meanwhile shares the next; after an error it is repeated in a new log.

use std::collections::VecDeque;

use spindle::checkpoint::{Fingerprint, Identity, LogEncoder, Piece, Slide, State};
use spindle::ids::Millis;
use spindle::random::Random;

use super::disk::Disk;

#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) epoch: u64,
    length_ms: Millis,
    slide_ms: Millis,
    /// A base is wanted after so many slides.
    roll_slides: usize,
    queue: VecDeque<Order>,
    open: Option<(u64, LogEncoder)>,
    next_file: u64,
    log_number: Option<u64>,
    offered: u64,
    durable: u64,
    flight: Option<Flight>,
    /// A base that is written beside the log.
    background: Option<(u64, Vec<u8>)>,
    based: bool,
    rolled: usize,
    wanted: bool,
    /// What was being written when another attempt took over is there as a whole.
    landed: bool,
}

#[derive(Debug)]
enum Order {
    Slide(u64, Box<Slide>),
    Base(u64, Box<State>),
}

#[derive(Debug)]
enum Flight {
    Piece(u64, Piece),
    /// The first base, which is waited for.
    Base(u64, Vec<u8>),
}

/// What a write came to.
#[derive(Debug)]
pub(crate) enum Written {
    Durable { until_ms: Millis, base_wanted: bool },
    Based,
    Failed,
    Fenced,
}

impl Writer {
    pub(crate) fn new(
        epoch: u64,
        disk: &Disk,
        last: u64,
        (slide_ms, length_ms): (Millis, Millis),
        roll_slides: usize,
    ) -> Self {
        Self {
            epoch,
            length_ms,
            slide_ms,
            roll_slides,
            queue: VecDeque::new(),
            open: None,
            next_file: disk.next_file(),
            log_number: None,
            offered: last,
            durable: last,
            flight: None,
            background: None,
            based: false,
            rolled: 0,
            wanted: false,
            landed: false,
        }
    }

    pub(crate) fn slide(&mut self, slide: Box<Slide>) {
        self.offered += 1;
        self.queue.push_back(Order::Slide(self.offered, slide));
    }

    pub(crate) fn base(&mut self, state: Box<State>) {
        self.queue.push_back(Order::Base(self.offered, state));
    }

    /// Begins the next write, unless one is under way. Says whether it did, and whether a base beside it has begun.
    pub(crate) fn begin(&mut self) -> (bool, bool) {
        let mut beside = false;
        if self.flight.is_some() {
            return (false, beside);
        }
        while self.flight.is_none() {
            match self.queue.front() {
                None => break,
                Some(Order::Base(..)) => beside |= self.begin_base(),
                Some(Order::Slide(..)) => self.begin_piece(),
            }
        }
        (self.flight.is_some(), beside)
    }

    /// Whether a write is under way, or is tried again.
    pub(crate) fn is_writing(&self) -> bool {
        self.flight.is_some()
    }

    fn begin_piece(&mut self) {
        if self.open.is_none() {
            let number = self.log_number.take().unwrap_or(self.next_file);
            self.next_file = self.next_file.max(number + 1);
            self.open = Some((number, LogEncoder::new(Identity { epoch: self.epoch, number })));
        }
        let Some((log, encoder)) = &mut self.open else { return };
        let slides = self.queue.iter().map_while(|order| match order {
            Order::Slide(number, slide) => Some((*number, &**slide)),
            Order::Base(..) => None,
        });
        let piece = encoder.piece(self.durable, self.length_ms, slides);
        self.flight = piece.map(|piece| Flight::Piece(*log, piece));
    }

    /// Whether a base beside the log has begun.
    fn begin_base(&mut self) -> bool {
        let Some(Order::Base(slide, state)) = self.queue.pop_front() else { return false };
        if self.background.is_some() {
            return false;
        }
        self.open = None;
        let number = self.next_file;
        self.next_file += 1;
        self.log_number = Some(number);
        let identity = Identity { epoch: self.epoch, number };
        let content = state.base(slide, self.length_ms, fingerprint(self.slide_ms), identity);
        let bytes = content().flatten().collect();
        (self.rolled, self.wanted) = (0, false);
        if self.based {
            self.background = Some((number, bytes));
        } else {
            self.flight = Some(Flight::Base(number, bytes));
        }
        self.based
    }

    /// The write under way ends, well or not.
    pub(crate) fn written(&mut self, disk: &mut Disk, random: &mut Random) -> Written {
        if disk.is_fenced(self.epoch) && !(std::mem::take(&mut self.landed) && random.one_in(2)) {
            return Written::Fenced;
        }
        let fenced = disk.is_fenced(self.epoch);
        match self.flight.take() {
            Some(Flight::Base(number, bytes)) if disk.away => {
                self.flight = Some(Flight::Base(number, bytes));
                Written::Failed
            }
            Some(Flight::Base(number, bytes)) => {
                if !fenced {
                    disk.put_base(self.epoch, number, bytes);
                }
                self.based = true;
                Written::Based
            }
            Some(Flight::Piece(log, piece)) if disk.away => {
                let part = random.below(piece.bytes.len() + 1);
                disk.append(self.epoch, log, &piece.bytes[..part]);
                self.open = None;
                Written::Failed
            }
            Some(Flight::Piece(log, piece)) => {
                if !fenced {
                    disk.append(self.epoch, log, &piece.bytes);
                }
                self.queue.drain(..piece.slides);
                self.durable = piece.last;
                self.rolled += piece.slides;
                let due = self.rolled >= self.roll_slides && self.background.is_none();
                let base_wanted = due && !std::mem::replace(&mut self.wanted, due);
                Written::Durable { until_ms: piece.end_ms, base_wanted }
            }
            None => unreachable!("a write was under way"),
        }
    }

    /// The base beside the log is written, or not. Says whether it is.
    pub(crate) fn based(&mut self, disk: &mut Disk) -> bool {
        let Some((number, bytes)) = self.background.take() else { return false };
        if disk.away || disk.is_fenced(self.epoch) {
            self.rolled = self.roll_slides;
            return false;
        }
        disk.put_base(self.epoch, number, bytes);
        true
    }

    /// The driver dies, or loses the checkpoint: any part of what is being written may have reached the store.
    pub(crate) fn cut_short(&mut self, disk: &mut Disk, random: &mut Random) {
        if disk.is_fenced(self.epoch) || disk.away {
            return;
        }
        match &self.flight {
            Some(Flight::Piece(log, piece)) => {
                let part = match random.below(3) {
                    0 => 0,
                    1 => piece.bytes.len(),
                    _ => random.below(piece.bytes.len() + 1),
                };
                disk.append(self.epoch, *log, &piece.bytes[..part]);
                self.landed = part == piece.bytes.len();
            }
            Some(Flight::Base(number, bytes)) if random.one_in(2) => {
                disk.put_base(self.epoch, *number, bytes.clone());
                self.landed = true;
            }
            _ => {}
        }
        if let Some((number, bytes)) = self.background.take_if(|_| random.one_in(2)) {
            disk.put_base(self.epoch, number, bytes);
        }
    }
}

fn fingerprint(slide_ms: Millis) -> Fingerprint {
    let (key, time) = ("record".to_owned(), "processing".to_owned());
    Fingerprint { cluster: None, topics: vec![("t".to_owned(), None)], key, slide_ms, time }
}
