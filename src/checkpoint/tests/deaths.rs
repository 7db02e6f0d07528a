//! The process dies, or the store fails, at every single call.

use super::world::*;
use crate::random::Random;
use crate::store::faults::{Fault, Faults};

use super::super::*;
use std::sync::Arc;

/// Slides one by one and together, with bases in between.
async fn scenario(store: &Store, attempt: u32, oracle: Oracle, faults: &Faults) -> (Oracle, u64, bool) {
    let opened = match open_as(store, opening(attempt)).await {
        Ok(opened) => opened,
        Err(error) => {
            assert!(faults.dead(), "{error}");
            return (oracle, 0, false);
        }
    };
    let mut driver = Driver::start(opened, oracle, 7 + u64::from(attempt));
    let mut alive = true;
    for together in [1, 1, 1, 3, 1, 2, 4, 1] {
        (0..together).for_each(|_| driver.slide());
        alive = driver.settled(faults).await;
        if !alive {
            break;
        }
    }
    let durable = if driver.based == 0 { 0 } else { driver.durable };
    if alive {
        let Driver { writer, mut events, .. } = driver;
        writer.close();
        while !faults.dead() {
            match events.recv().await {
                Some(Event::Closed) | None => break,
                Some(_) => {}
            }
        }
    }
    (driver.oracle, durable, alive && !faults.dead())
}

/// Recovers with an undisturbed store and compares.
async fn recovered(
    directory: &std::path::Path,
    attempt: u32,
    oracle: &Oracle,
    durable: u64,
    what: &str,
) -> u64 {
    let opened = open_as(&calm(directory), opening(attempt)).await.unwrap();
    assert_eq!(opened.report.corrupt, [], "{what}");
    assert_eq!(opened.report.bad_bases, [], "{what}");
    let Some(recovered) = &opened.recovered else {
        assert_eq!(durable, 0, "{what}: nothing was recovered");
        return 0;
    };
    let slide = assert_true(recovered, oracle);
    assert!(slide >= durable, "{what}: slide {durable} was durable, {slide} was recovered");
    slide
}

#[tokio::test]
async fn whatever_was_acknowledged_survives_a_death_at_any_call() {
    let mut deaths = 0;
    for fault in [Fault::DieBefore, Fault::DieAfter, Fault::DieWithin] {
        for at in 1.. {
            let directory = scratch();
            let faults = Arc::new(Faults::at([(at, fault)]));
            let store = Store::for_test(directory.path(), Arc::clone(&faults));
            let (oracle, durable, whole) = scenario(&store, 1, Oracle::default(), &faults).await;
            let what = format!("{fault:?} at call {at}");
            let slide = recovered(directory.path(), 2, &oracle, durable, &what).await;
            if whole {
                assert_eq!(slide, oracle.slides.len() as u64);
                assert!(faults.seen().is_empty(), "{what} happened");
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > 80, "only {deaths} deaths");
}

#[tokio::test]
async fn a_second_death_while_taking_over_loses_nothing_either() {
    let mut deaths = 0;
    for fault in [Fault::DieBefore, Fault::DieAfter, Fault::DieWithin] {
        for at in (1..).step_by(2) {
            let directory = scratch();
            let first = Arc::new(Faults::at([(23, Fault::DieWithin), (24, Fault::DieAfter)]));
            let store = Store::for_test(directory.path(), Arc::clone(&first));
            let (oracle, durable, _) = scenario(&store, 1, Oracle::default(), &first).await;
            let faults = Arc::new(Faults::at([(at, fault)]));
            let store = Store::for_test(directory.path(), Arc::clone(&faults));
            let kept = oracle.clone();
            let (later, later_durable, whole) = scenario(&store, 2, oracle, &faults).await;
            let what = format!("{fault:?} at call {at} of the second attempt");
            // Until the second attempt wrote a slide of its own, the first one's history is all there is.
            let opened = open_as(&calm(directory.path()), opening(3)).await.unwrap();
            let slide = opened.recovered.as_ref().map_or(0, |recovered| recovered.slide);
            assert!(slide >= durable.max(later_durable), "{what}: {slide} of {durable}, {later_durable}");
            if let Some(recovered) = &opened.recovered {
                let known = if slide <= later.slides.len() as u64 { &later } else { &kept };
                assert_true(recovered, known);
            }
            if whole {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > 50, "only {deaths} deaths");
}

#[tokio::test]
async fn a_failure_at_any_call_delays_and_loses_nothing() {
    // A call that hangs costs its deadline, so not every one is tried.
    for (fault, step) in [(Fault::FailBefore, 1), (Fault::FailAfter, 1), (Fault::Hang, 5)] {
        for at in (1..).step_by(step) {
            let directory = scratch();
            let faults = Arc::new(Faults::at([(at, fault)]));
            let store = Store::for_test(directory.path(), Arc::clone(&faults));
            let (oracle, durable, whole) = scenario(&store, 1, Oracle::default(), &faults).await;
            let what = format!("{fault:?} at call {at}");
            assert!(whole, "{what} was not got over");
            assert_eq!(durable, oracle.slides.len() as u64, "{what}");
            let slide = recovered(directory.path(), 2, &oracle, durable, &what).await;
            assert_eq!(slide, oracle.slides.len() as u64, "{what}");
            if faults.seen().is_empty() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn random_failures_and_deaths_over_many_attempts_lose_nothing() {
    for seed in 0..40 {
        let mut random = Random::with_seed(seed);
        let directory = scratch();
        let mut oracle = Oracle::default();
        let mut durable = 0;
        for attempt in 1..6 {
            let fault = |random: &mut Random| {
                let faults = [
                    Fault::FailBefore,
                    Fault::FailAfter,
                    Fault::DieBefore,
                    Fault::DieAfter,
                    Fault::DieWithin,
                ];
                (1 + random.below(60) as u64, faults[random.below(5)])
            };
            let planned: Vec<_> = (0..1 + random.below(4)).map(|_| fault(&mut random)).collect();
            let faults = Arc::new(Faults::at(planned.clone()));
            let store = Store::for_test(directory.path(), Arc::clone(&faults));
            let before = oracle.clone();
            let (after, acknowledged, _) = scenario(&store, attempt, oracle, &faults).await;
            // The attempt went on after `durable` at least, and where it did not, nothing of it is known.
            oracle =
                if after.slides.len() >= before.slides.len() || acknowledged > 0 { after } else { before };
            durable = durable.max(acknowledged);
            let look = inspect(&calm(directory.path()), 1 << 20).await.unwrap();
            let what = format!("seed {seed}, attempt {attempt}, {planned:?}");
            let (recovered, report) = look.recovery.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(report.corrupt, [], "{what}");
            let slide = recovered.as_ref().map_or(0, |recovered| assert_true(recovered, &oracle));
            assert!(slide >= durable, "{what}: {durable} were durable, {slide} are there");
        }
    }
}
