//! What one thread sees of the leaves.
//!
//! # Safety
//!
//! The nodes of a test outlive its list.
#![allow(unsafe_code)]

use super::wait_list::{Node, WaitList};
use std::pin::pin;

/// What is in the list, taken out from the front.
fn drain(list: &mut WaitList<u32>) -> Vec<u32> {
    // SAFETY: the nodes outlive their stay in the list.
    std::iter::from_fn(|| list.pop().map(|node| unsafe { node.as_ref() }.value)).collect()
}

#[test]
fn first_come_first_served() {
    let (one, two, three) = (pin!(Node::new(1)), pin!(Node::new(2)), pin!(Node::new(3)));
    let mut list = WaitList::new();
    for _ in 0..2 {
        assert!(list.is_empty() && list.first().is_none());
        for node in [one.as_ref(), two.as_ref(), three.as_ref()] {
            // SAFETY: it is in no list, and taken out below.
            unsafe { list.push(node) };
        }
        assert_eq!(list.first().map(|node| node.value), Some(1));
        assert_eq!(drain(&mut list), [1, 2, 3]);
    }
}

#[test]
fn anyone_may_leave() {
    // All orders in which three can leave four.
    for leaving in 0..64 {
        let nodes = [0, 1, 2, 3].map(|number| Box::pin(Node::new(number)));
        let mut list = WaitList::new();
        for node in &nodes {
            // SAFETY: it is in no list, and taken out below.
            unsafe { list.push(node.as_ref()) };
        }
        let mut expected = vec![0, 1, 2, 3];
        for turn in 0..3 {
            let number = leaving >> (2 * turn) & 3;
            // SAFETY: it is in this list or in none.
            let was_in = unsafe { list.remove(&nodes[number]) };
            assert_eq!(was_in, expected.contains(&(number as u32)));
            expected.retain(|&other| other != number as u32);
        }
        assert_eq!(drain(&mut list), expected);
    }
}

#[test]
fn who_has_left_can_come_again() {
    let (one, two) = (pin!(Node::new(1)), pin!(Node::new(2)));
    let mut list = WaitList::new();
    // SAFETY: they are in no list, or in this one, and all are taken out below.
    unsafe { list.push(one.as_ref()) };
    // SAFETY: as above.
    unsafe { list.push(two.as_ref()) };
    // SAFETY: as above.
    assert!(unsafe { list.remove(&one) });
    // SAFETY: as above.
    assert!(!unsafe { list.remove(&one) });
    // SAFETY: as above.
    unsafe { list.push(one.as_ref()) };
    assert_eq!(drain(&mut list), [2, 1]);
}
