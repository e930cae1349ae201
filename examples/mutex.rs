//! One account, used by threads that block and by tasks that await, and given up by one that does not want to wait.
//!
//! ```text
//! cargo run --release --features mutex --example mutex
//! ```

use std::thread;
use std::time::Duration;
use toolbox::mutex::{Mutex, MutexGuard};
use toolbox::wait::block_on;

#[derive(Debug)]
struct Account {
    balance: i64,
    /// What was paid in, and by whom.
    entries: Vec<(&'static str, i64)>,
}

static ACCOUNT: Mutex<Account> = Mutex::new(Account { balance: 0, entries: Vec::new() });

/// For tasks: any executor will do, and waiting allocates nothing.
async fn pay_in(who: &'static str, amount: i64) {
    let mut account = ACCOUNT.lock().await;
    account.balance += amount;
    account.entries.push((who, amount));
}

/// For threads.
fn pay_out(amount: i64) -> bool {
    let account = ACCOUNT.lock_blocking();
    // A guard of a part of the data.
    let mut balance = MutexGuard::map(account, |account| &mut account.balance);
    let has_enough = *balance >= amount;
    if has_enough {
        *balance -= amount;
    }
    has_enough
}

pub(crate) fn main() {
    thread::scope(|scope| {
        scope.spawn(|| block_on(pay_in("task", 70)));
        scope.spawn(|| block_on(pay_in("another task", 30)));
    });
    println!("100 paid out: {}", pay_out(100));
    println!("1 more: {}", pay_out(1));
    let held = ACCOUNT.lock_blocking();
    // Who waits for too long is told so, and has left the line.
    let impatient = thread::scope(|scope| {
        scope.spawn(|| ACCOUNT.lock_timeout(Duration::from_millis(10)).is_err()).join().expect("it does not panic")
    });
    println!("in vain: {impatient}; entries: {:?}", held.entries);
}
