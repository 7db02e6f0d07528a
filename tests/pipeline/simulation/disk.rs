//! What the checkpoint's store holds, byte by byte, and production recovery over it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use spindle::checkpoint::{AttemptDir, FileInfo, Files, Owner, Recovered, recover};
use spindle::random::Random;
use spindle::store::StoreError;
use tokio_util::bytes::Bytes;

/// Bases kept, as by the writer.
const BASES: usize = 3;
/// More keys than any world has.
const IDS_MAX: usize = 1_000;

/// The files of every attempt, by epoch.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    attempts: BTreeMap<u64, Attempt>,
    /// Nothing can be written or read.
    pub(crate) away: bool,
}

#[derive(Debug, Default)]
struct Attempt {
    owner: Option<Owner>,
    fenced: bool,
    bases: BTreeMap<u64, Vec<u8>>,
    logs: BTreeMap<u64, Vec<u8>>,
}

impl Disk {
    /// Who owns the checkpoint.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        self.attempts.last_key_value().and_then(|(_, attempt)| attempt.owner.as_ref())
    }

    /// A new attempt owns the checkpoint; what earlier ones still write is refused. One that goes on with its own claim
    /// keeps its number, unless it was fenced or has written.
    pub(crate) fn claim(&mut self, ours: Owner, goes_on: bool) -> u64 {
        let newest = self.attempts.last_key_value().map_or(0, |(epoch, _)| *epoch);
        let is_empty =
            |attempt: &Attempt| !attempt.fenced && attempt.bases.is_empty() && attempt.logs.is_empty();
        let keeps = goes_on && self.attempts.get(&newest).is_some_and(is_empty);
        let epoch = if keeps { newest } else { newest + 1 };
        self.attempts.range_mut(..epoch).for_each(|(_, attempt)| attempt.fenced = true);
        self.attempts.entry(epoch).or_default().owner = Some(ours);
        epoch
    }

    pub(crate) fn is_fenced(&self, epoch: u64) -> bool {
        self.attempts.get(&epoch).is_none_or(|attempt| attempt.fenced)
    }

    /// The number that the next file gets.
    pub(crate) fn next_file(&self) -> u64 {
        let numbers =
            self.attempts.values().flat_map(|attempt| attempt.bases.keys().chain(attempt.logs.keys()));
        numbers.max().copied().unwrap_or(0) + 1
    }

    pub(crate) fn append(&mut self, epoch: u64, log: u64, bytes: &[u8]) {
        if let Some(attempt) = self.attempts.get_mut(&epoch) {
            attempt.logs.entry(log).or_default().extend_from_slice(bytes);
        }
    }

    /// A base is there as a whole or not at all. What no restart needs goes.
    pub(crate) fn put_base(&mut self, epoch: u64, number: u64, bytes: Vec<u8>) {
        if let Some(attempt) = self.attempts.get_mut(&epoch) {
            attempt.bases.insert(number, bytes);
        }
        let bases =
            self.attempts.iter().flat_map(|(epoch, at)| at.bases.keys().map(move |base| (*epoch, *base)));
        let mut bases: Vec<_> = bases.collect();
        bases.sort_unstable();
        let Some(&floor) = bases.iter().rev().nth(BASES - 1) else { return };
        self.attempts.retain(|epoch, attempt| *epoch >= floor.0 || !attempt.fenced);
        for (epoch, attempt) in &mut self.attempts {
            attempt.bases.retain(|number, _| (*epoch, *number) >= floor);
            attempt.logs.retain(|number, _| (*epoch, *number) >= floor);
        }
    }

    /// What the attempt that owns `epoch` goes on from. One that finds the newest base damaged finds the same: in the
    /// one before it, unless that is of an earlier attempt, and the logs.
    pub(crate) fn recover(&self, epoch: u64, seed: u64, damage: Option<&mut Random>) -> Option<Recovered> {
        let mut shelf = Shelf::default();
        let mut dirs = Vec::new();
        for (&epoch, attempt) in self.attempts.range(..epoch) {
            let info = |(&number, bytes): (&u64, &Vec<u8>)| FileInfo { number, bytes: bytes.len() as u64 };
            let bases = attempt.bases.iter().map(info).collect();
            let logs = attempt.logs.iter().map(info).collect();
            let dir = AttemptDir { epoch, fenced: true, owned: true, bases, logs };
            let bases = attempt.bases.iter().map(|(number, bytes)| (dir.base(*number), bytes));
            let logs = attempt.logs.iter().map(|(number, bytes)| (dir.log(*number), bytes));
            shelf.0.extend(bases.chain(logs).map(|(path, bytes)| (path, bytes.clone().into())));
            dirs.push(dir);
        }
        let newest = dirs.iter().rev().find(|dir| !dir.bases.is_empty()).filter(|dir| dir.bases.len() > 1);
        let mut damaged = 0;
        if let (Some(random), Some(dir)) = (damage, newest)
            && let Some(base) = dir.bases.last().and_then(|base| shelf.0.get_mut(&dir.base(base.number)))
        {
            let mut bytes = base.to_vec();
            bytes[random.below(base.len())] ^= 1 << random.below(8);
            *base = bytes.into();
            damaged = 1;
        }
        let (recovered, report) = now(recover(&shelf, &dirs, true, IDS_MAX, seed)).expect("it can be read");
        let as_told = report.bad_bases.len() == damaged && report.corrupt.is_empty();
        assert!(as_told, "{damaged} bases are damaged, and nothing else: {report:?}");
        recovered
    }
}

/// The files by path.
#[derive(Debug, Default)]
struct Shelf(BTreeMap<String, Bytes>);

impl Files for Shelf {
    async fn read(&self, path: &str, _bytes_max: u64) -> Result<Bytes, StoreError> {
        Ok(self.0[path].clone())
    }

    async fn read_so_far(&self, path: &str, bytes_max: u64) -> Result<Bytes, StoreError> {
        let bytes = &self.0[path];
        Ok(bytes.slice(..bytes.len().min(bytes_max as usize)))
    }
}

/// What waits for nothing.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("memory is there at once"),
    }
}
