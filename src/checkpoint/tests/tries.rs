//! A process that tries again to open a checkpoint, while others want it, too.

use std::sync::Arc;

use super::super::*;
use super::world::*;
use crate::store::faults::{Fault, Faults, Leases};
use crate::store::tests::ONCE;

fn process(app: &str, attempt: u32, force: Force) -> Opening {
    let mut owner = owner(app, attempt);
    owner.process = Some(format!("{app} {attempt}"));
    Opening { owner, force, ..opening(1) }
}

fn lives() -> HasEnded {
    Arc::new(|_: &Owner| Some(false))
}

/// B is to take over and waits for a log to be closed. C comes with the same order, gets it and counts, with a base every
/// `roll_slides`. Then B tries again as `again`, with what it remembers if it is the same process.
async fn b_tries_again_while_c_works(roll_slides: u64, again: Opening, remembers: bool) {
    let directory = scratch();
    let leases = Arc::new(Leases::default());
    let store = || {
        let faults = Arc::new(Faults::default().like_hdfs(&leases));
        Store::for_test_with(directory.path(), faults, ONCE)
    };
    let a = open(store(), process("a", 1, Force::No), lives()).await.unwrap();
    let mut a = Driver::start(a, Oracle::default(), 3);
    a.slide();
    assert!(a.settled(&Faults::default()).await);
    leases.stuck(true);
    let mut tries = Tries::default();
    let b = process("b", 1, Force::TakeOver);
    let error = open_again(store(), b, lives(), &mut tries).await.unwrap_err();
    assert!(error.is_passing(), "{error}");
    leases.stuck(false);
    let c = process("c", 1, Force::TakeOver);
    let c = Opening { limits: Limits { roll_slides, ..c.limits }, ..c };
    let c = open(store(), c, lives()).await.unwrap();
    assert_eq!(c.because, Because::Ordered);
    let mut c = Driver::start(c, a.oracle, 5);
    for _ in 0..20 {
        c.slide();
        assert!(c.settled(&Faults::default()).await);
    }
    if !remembers {
        tries = Tries::default();
    }
    let again = open_again(store(), again, lives(), &mut tries);
    tokio::pin!(again);
    let calm = Faults::default();
    // It watches whether C writes.
    let refused = loop {
        c.slide();
        tokio::select! {
            opened = &mut again => break opened.map(|opened| opened.because),
            works = c.settled(&calm) => assert!(works, "c is fenced"),
        }
    };
    assert!(matches!(refused, Err(OpenError::Owned { .. })), "{refused:?}");
    c.slide();
    assert!(c.settled(&Faults::default()).await, "c goes on");
}

/// `--take-over` was an order against the owner of its time.
#[tokio::test]
async fn a_try_again_does_not_take_over_from_who_was_ordered_later() {
    b_tries_again_while_c_works(1_000_000, process("b", 1, Force::TakeOver), true).await;
}

#[tokio::test]
async fn nor_does_it_when_its_claim_is_deleted_already() {
    b_tries_again_while_c_works(4, process("b", 1, Force::TakeOver), true).await;
}

#[tokio::test]
async fn nor_does_the_next_attempt_of_its_application() {
    b_tries_again_while_c_works(1_000_000, process("b", 2, Force::TakeOver), false).await;
}

/// On a local store a lock says who lives. It is held from the first claim on, also while the process waits to try again.
#[tokio::test]
async fn a_driver_between_two_tries_of_a_local_open_has_not_ended() {
    let mut waited = 0;
    for at in 1..60 {
        let directory = scratch();
        let first = open_as(&calm(directory.path()), process("first", 1, Force::No)).await.unwrap();
        let mut first = Driver::start(first, Oracle::default(), 3);
        first.slide();
        assert!(first.settled(&Faults::default()).await);
        first.writer.close();
        while first.events.recv().await.is_some() {}
        let faults = Arc::new(Faults::at([(at, Fault::FailBefore)]));
        let store = Store::for_test_with(directory.path(), faults, ONCE);
        let mut tries = Tries::default();
        let no_one_knows = || Arc::new(|_: &Owner| None);
        let second = process("second", 1, Force::No);
        let opened = open_again(store.clone(), second.clone(), no_one_knows(), &mut tries).await;
        if opened.is_ok() || !tries.has_claimed() {
            continue;
        }
        waited += 1;
        let sight = Sight::look(&calm(directory.path())).await.unwrap();
        assert_eq!(sight.held, Some(true), "call {at}: another application would take it for ended");
        let opened = open_again(store, second, no_one_knows(), &mut tries).await.unwrap();
        assert_eq!(opened.because, Because::Claimed, "call {at}");
        let mut driver = Driver::start(opened, first.oracle, 5);
        driver.slide();
        assert!(driver.settled(&Faults::default()).await, "call {at}");
    }
    assert!(waited > 5, "only {waited} tries failed behind their claim");
}
