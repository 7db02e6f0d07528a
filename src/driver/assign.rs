//! Which session reads which partition: balanced, with as few moves as possible. Pure.

use std::collections::BTreeMap;

use crate::ids::{Partition, Session};

/// The owner each partition should have.
///
/// Owners that are among `sessions` are kept as far as loads then differ by at most one; a partition without
/// one goes to the session with the fewest partitions, then with the fewest of that topic, then the lowest slot.
/// Without sessions nobody owns anything.
pub fn plan(held: &[(Partition, Option<Session>)], sessions: &[Session]) -> BTreeMap<Partition, Session> {
    let mut owned: BTreeMap<Session, Vec<&Partition>> = sessions.iter().map(|s| (*s, Vec::new())).collect();
    let mut orphans = Vec::new();
    for (partition, owner) in held {
        match owner.and_then(|owner| owned.get_mut(&owner)) {
            Some(list) => list.push(partition),
            None => orphans.push(partition),
        }
    }
    if owned.is_empty() {
        return BTreeMap::new();
    }
    for partition in orphans {
        let same_topic = |list: &[&Partition]| list.iter().filter(|p| p.topic == partition.topic).count();
        let least = owned.values_mut().min_by_key(|list| (list.len(), same_topic(list)));
        if let Some(list) = least {
            list.push(partition);
        }
    }
    while let Some(partition) = take_surplus(&mut owned) {
        let least = owned.values_mut().min_by_key(|list| list.len());
        if let Some(list) = least {
            list.push(partition);
        }
    }
    let pairs =
        owned.into_iter().flat_map(|(session, list)| list.into_iter().map(move |p| (p.clone(), session)));
    pairs.collect()
}

/// A partition of the session with the most, if that is at least two more than the least.
fn take_surplus<'a>(owned: &mut BTreeMap<Session, Vec<&'a Partition>>) -> Option<&'a Partition> {
    let least = owned.values().map(Vec::len).min()?;
    let most = owned.values_mut().max_by_key(|list| list.len())?;
    if most.len() < least + 2 { None } else { most.pop() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Generation, Slot};

    fn session(slot: u32) -> Session {
        Session { slot: Slot(slot), generation: Generation(0), connection: u64::from(slot) }
    }

    fn loads(plan: &BTreeMap<Partition, Session>) -> Vec<usize> {
        let mut loads: BTreeMap<Session, usize> = BTreeMap::new();
        plan.values().for_each(|session| *loads.entry(*session).or_default() += 1);
        loads.into_values().collect()
    }

    fn partitions(topic: &str, count: i32) -> Vec<(Partition, Option<Session>)> {
        (0..count).map(|n| (Partition::new(topic, n), None)).collect()
    }

    #[test]
    fn a_fresh_start_is_balanced_over_sessions_and_topics() {
        let mut held = partitions("a", 4);
        held.extend(partitions("b", 4));
        let plan = plan(&held, &[session(0), session(1)]);
        assert_eq!(loads(&plan), [4, 4]);
        let a_on_0 = plan.iter().filter(|(p, s)| &*p.topic == "a" && **s == session(0)).count();
        assert_eq!(a_on_0, 2);
    }

    #[test]
    fn survivors_keep_what_they_have() {
        let mut held = partitions("a", 6);
        for (at, (_, owner)) in held.iter_mut().enumerate() {
            *owner = Some(session(at as u32 % 3));
        }
        let plan = plan(&held, &[session(0), session(2)]);
        assert_eq!(loads(&plan), [3, 3]);
        for (partition, owner) in &held {
            assert!(*owner == Some(session(1)) || plan[partition] == owner.unwrap());
        }
    }

    #[test]
    fn a_replacement_gets_its_share_and_no_more() {
        let mut held = partitions("a", 6);
        held.iter_mut().for_each(|(_, owner)| *owner = Some(session(0)));
        let plan = plan(&held, &[session(0), session(1)]);
        assert_eq!(loads(&plan), [3, 3]);
    }

    #[test]
    fn more_sessions_than_partitions_leave_some_idle_and_none_leave_all() {
        assert_eq!(plan(&partitions("a", 2), &[session(0), session(1), session(2)]).len(), 2);
        assert!(plan(&partitions("a", 2), &[]).is_empty());
    }
}
