//! The process dies, or the store fails, at every single call of the writer.

use std::sync::Arc;

use super::world::*;
use crate::store::faults::{Fault, Faults};
use crate::store::tests::scratch;

/// Two files and a half. True if the writer lived to the end.
async fn scenario(place: &Place, attempt: u32) -> bool {
    let mut driver = Driver::start(place, attempt, 7).await;
    let many = 25_u64.saturating_sub(driver.counter.last);
    driver.slides(many).await;
    driver.until(20_000).await.is_none() && driver.through_ms >= Some(20_000)
}

#[tokio::test]
async fn a_death_at_any_call_leaves_the_files_that_are_right_and_the_next_attempt_the_same_as_ever() {
    let wanted = expected(7, 25);
    let mut deaths = 0;
    for fault in [Fault::DieBefore, Fault::DieAfter] {
        for at in 1.. {
            let directory = scratch();
            let faults = Arc::new(Faults::at([(at, fault)]));
            let place = Place::new(directory.path(), &faults);
            // The dead try nothing again and tell nobody.
            let lived = tokio::select! {
                lived = scenario(&place, 1) => lived,
                () = died(&faults) => false,
            };
            let left = files(directory.path());
            for (name, bytes) in
                left.iter().filter(|(name, _)| *name != "latest.json" && !name.contains(".tmp-"))
            {
                assert_eq!(Some(bytes), wanted.get(name), "{fault:?} at call {at}: {name}");
            }
            for name in left.keys().filter(|name| name.contains("/windows-")) {
                let ranges = name.replace("windows-", "_ranges-windows-");
                assert!(left.contains_key(&ranges), "{fault:?} at call {at}: {name} has nothing beside it");
            }
            if lived && faults.seen().is_empty() {
                break;
            }
            assert!(scenario(&Place::new(directory.path(), &Arc::default()), 2).await);
            assert_eq!(files(directory.path()), wanted, "{fault:?} at call {at}");
            deaths += 1;
        }
    }
    assert!(deaths > 60, "only {deaths} deaths");
}

/// Done when the process is dead.
async fn died(faults: &Faults) {
    while !faults.dead() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_failure_at_any_call_delays_and_changes_nothing() {
    let wanted = expected(7, 25);
    // A call that hangs costs its deadline, so not every one is tried.
    for (fault, step) in [(Fault::FailBefore, 1), (Fault::FailAfter, 1), (Fault::Hang, 7)] {
        for at in (1..).step_by(step) {
            let directory = scratch();
            let faults = Arc::new(Faults::at([(at, fault)]));
            assert!(scenario(&Place::new(directory.path(), &faults), 1).await, "{fault:?} at call {at}");
            assert_eq!(files(directory.path()), wanted, "{fault:?} at call {at}");
            if faults.seen().is_empty() {
                break;
            }
        }
    }
}
