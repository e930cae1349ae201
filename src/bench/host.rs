//! The host that a figure belongs to, and what makes its figures doubtful.
//!
//! A figure without its host says little: the processor, its caches, how many of them a program may use, the kernel, and
//! whether all of it is a guest on another machine. All of this is read from `/proc` and `/sys`; what is not there is
//! left out, and nothing here fails.

use crate::sys::{processor, usage};
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// What the host is.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// The model of the processor, as the kernel calls it.
    pub processor: String,
    /// Its caches, from the first level on: `L1d 32 KiB`.
    pub caches: Vec<String>,
    /// Processors that are switched on.
    pub online: usize,
    /// The processors that this process may run on.
    pub allowed: Vec<usize>,
    /// How many processors' time a control group grants, when it grants less than all.
    pub quota: Option<f64>,
    /// The release of the kernel.
    pub kernel: String,
    /// How the clock of the processors is chosen, where the kernel chooses it.
    pub governor: Option<String>,
    /// The name that a virtual machine gives itself, or `unnamed`; none on a machine of its own.
    pub hypervisor: Option<String>,
}

/// What makes figures doubtful.
#[derive(Clone, Debug, PartialEq)]
pub enum Warning {
    /// More threads than processors: threads wait for each other to be scheduled.
    Crowded {
        /// The most threads that were at work.
        threads: usize,
        /// Processors that they could use.
        processors: usize,
    },
    /// A control group stops the process when it has had this many processors' time.
    Quota(f64),
    /// The processors' clock is not fixed.
    Governor(String),
    /// The machine is a guest, and its host may take time or move it.
    Virtual(String),
    /// The library was built without optimisation.
    Debug,
    /// Others used this share of all processors' time meanwhile.
    Busy(f64),
    /// The machine's host gave this share of the time to others.
    Stolen(f64),
}

/// The processors' time at one moment, to see later who has used it.
#[derive(Clone, Debug)]
pub struct Load {
    at: Instant,
    own: Duration,
    ticks: Option<Ticks>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    all: u64,
    busy: u64,
    stolen: u64,
}

impl Host {
    /// Looks at this host.
    #[must_use]
    pub fn look() -> Self {
        let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let allowed = processor::allowed().unwrap_or_default();
        let online = word("/sys/devices/system/cpu/online").map_or(allowed.len(), |list| length_of_list(&list));
        Self {
            processor: model(&information),
            caches: caches(Path::new("/sys/devices/system/cpu/cpu0/cache")),
            online,
            quota: quota().filter(|&quota| quota < allowed.len() as f64),
            allowed,
            kernel: word("/proc/sys/kernel/osrelease").unwrap_or_default(),
            governor: word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            hypervisor: hypervisor(&information),
        }
    }

    /// How many threads can be at work at once.
    #[must_use]
    pub fn processors(&self) -> usize {
        self.allowed.len().max(1)
    }

    /// What is doubtful about figures of so many threads on this host, whatever else happens on it.
    #[must_use]
    pub fn warnings(&self, threads: usize) -> Vec<Warning> {
        let processors = self.processors();
        let crowded = (threads > processors).then_some(Warning::Crowded { threads, processors });
        let quota = self.quota.filter(|&quota| quota < threads as f64).map(Warning::Quota);
        let governor = self.governor.clone().filter(|name| name != "performance").map(Warning::Governor);
        let debug = cfg!(debug_assertions).then_some(Warning::Debug);
        let guest = self.hypervisor.clone().map(Warning::Virtual);
        [debug, crowded, quota, governor, guest].into_iter().flatten().collect()
    }
}

impl Load {
    /// The load up to now.
    #[must_use]
    pub fn now() -> Self {
        let ticks = fs::read_to_string("/proc/stat").ok().as_deref().and_then(ticks);
        Self { at: Instant::now(), own: usage::of_process().processor, ticks }
    }

    /// What has been doubtful since `self` was taken. Shares below 5 % are not spoken of, nor is a time too short for the
    /// kernel's clock, which counts hundredths of a second.
    #[must_use]
    pub fn warnings_since(&self) -> Vec<Warning> {
        let now = Self::now();
        let Some((before, after)) = self.ticks.zip(now.ticks) else { return Vec::new() };
        let all = after.all.saturating_sub(before.all);
        if all < 100 {
            return Vec::new();
        }
        let share = |after: u64, before: u64| after.saturating_sub(before) as f64 / all as f64;
        let seconds = (now.at - self.at).as_secs_f64();
        let processors = fs::read_to_string("/proc/stat").map_or(1, |text| processors_in(&text));
        let own = (now.own.saturating_sub(self.own)).as_secs_f64() / (seconds * processors as f64);
        let others = share(after.busy, before.busy) - own;
        let stolen = share(after.stolen, before.stolen);
        let busy = (others > 0.05).then_some(Warning::Busy(others));
        [busy, (stolen > 0.05).then_some(Warning::Stolen(stolen))].into_iter().flatten().collect()
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| (share * 100.0).round();
        match self {
            Self::Crowded { threads, processors } => write!(
                formatter,
                "{threads} threads on {processors} processor{}: with more threads than processors the figures are about being scheduled as well",
                if *processors == 1 { "" } else { "s" }
            ),
            Self::Quota(quota) => {
                write!(
                    formatter,
                    "a control group grants the time of {quota:.1} processors, less than there are threads"
                )
            }
            Self::Governor(name) => {
                write!(formatter, "the processors' clock may change under load: its governor is {name}")
            }
            Self::Virtual(name) => {
                write!(formatter, "a virtual machine ({name}), whose host may move it or take time from it")
            }
            Self::Debug => formatter.write_str("built without optimisation: the figures say nothing about a release"),
            Self::Busy(share) => {
                write!(formatter, "the host is busy: others used {} % of the processors meanwhile", percent(*share))
            }
            Self::Stolen(share) => {
                write!(formatter, "the machine's own host took {} % of the processors' time", percent(*share))
            }
        }
    }
}

/// The first line of a file, without blanks around it; none when it is empty or not there.
fn word(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.lines().next()?.trim().to_owned()).filter(|word| !word.is_empty())
}

fn field<'a>(information: &'a str, name: &str) -> Option<&'a str> {
    let named = |line: &'a str| line.split_once(':').filter(|(key, _)| key.trim() == name);
    information.lines().find_map(named).map(|(_, value)| value.trim())
}

fn model(information: &str) -> String {
    let numbered = || {
        let part = |name| field(information, name).unwrap_or("?");
        format!("implementer {} part {}", part("CPU implementer"), part("CPU part"))
    };
    field(information, "model name").map_or_else(numbered, str::to_owned)
}

fn hypervisor(information: &str) -> Option<String> {
    let told = word("/sys/hypervisor/type");
    let is_guest = field(information, "flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    let named = || {
        let names = ["/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/product_name"].into_iter().filter_map(word);
        let name = names.collect::<Vec<_>>().join(" ");
        if name.is_empty() { "unnamed".to_owned() } else { name }
    };
    told.or_else(|| is_guest.then(named))
}

/// How many numbers a list such as `0-3,8` names.
fn length_of_list(list: &str) -> usize {
    let length = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some((last.parse::<usize>().ok()? + 1).saturating_sub(first.parse().ok()?))
    };
    list.split(',').filter_map(length).sum()
}

fn caches(folder: &Path) -> Vec<String> {
    let one = |index: usize| {
        let folder = folder.join(format!("index{index}"));
        let level = word(folder.join("level"))?;
        let kind = match word(folder.join("type"))?.as_str() {
            "Data" => "d",
            "Instruction" => "i",
            _ => "",
        };
        let size = word(folder.join("size"))?;
        let kib = size.strip_suffix('K')?.parse::<u64>().ok()?;
        let size = if kib.is_multiple_of(1024) { format!("{} MiB", kib / 1024) } else { format!("{kib} KiB") };
        Some(format!("L{level}{kind} {size}"))
    };
    (0..).map_while(one).collect()
}

/// The least that any control group above this process grants, of either version of the interface.
fn quota() -> Option<f64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut least: Option<f64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let root = match controllers {
            "" => Path::new("/sys/fs/cgroup"),
            _ if controllers.split(',').any(|name| name == "cpu") => Path::new("/sys/fs/cgroup/cpu"),
            _ => continue,
        };
        let folder = root.join(path.trim_start_matches('/'));
        for folder in folder.ancestors().take_while(|folder| folder.starts_with(root)) {
            let second = || Some((word(folder.join("cpu.max"))?, None));
            let first = || Some((word(folder.join("cpu.cfs_quota_us"))?, word(folder.join("cpu.cfs_period_us"))));
            let granted = second().or_else(first).and_then(|(quota, period)| granted(&quota, period.as_deref()));
            least = [least, granted].into_iter().flatten().reduce(f64::min);
        }
    }
    least
}

/// Processors' time by `50000 100000`, or by the two numbers apart; none where it is not limited (`max`, -1).
fn granted(quota: &str, period: Option<&str>) -> Option<f64> {
    let (quota, inside) = quota.split_once(' ').map_or((quota, None), |(quota, period)| (quota, Some(period)));
    let (quota, period) = (quota.parse::<f64>().ok()?, inside.or(period)?.parse::<f64>().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal.
fn ticks(text: &str) -> Option<Ticks> {
    let numbers = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let numbers: Vec<u64> = numbers.take(8).map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let [user, nice, system, idle, waiting, hard, soft, stolen] = numbers[..] else { return None };
    let busy = user + nice + system + hard + soft;
    Some(Ticks { all: busy + idle + waiting + stolen, busy, stolen })
}

fn processors_in(text: &str) -> usize {
    let is_one =
        |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    text.lines().filter(is_one).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_is_described() {
        let host = Host::look();
        assert!(!host.processor.is_empty() && !host.kernel.is_empty());
        assert!(host.processors() >= 1 && host.online >= host.processors());
    }

    #[test]
    fn texts_of_the_kernel_are_read() {
        assert_eq!(["0", "0-3", "0-3,8", "0,2-3,7"].map(length_of_list), [1, 4, 5, 4]);
        let stat = "cpu  10 1 5 80 2 1 1 3 0 0\ncpu0 5 0 2\ncpu1 5 0 2\nintr 3\n";
        assert_eq!(ticks(stat), Some(Ticks { all: 103, busy: 18, stolen: 3 }));
        assert_eq!((processors_in(stat), ticks("cpu 1 2"), ticks("")), (2, None, None));
        assert_eq!(model("processor\t: 0\nmodel name\t: A B\n"), "A B");
        assert_eq!(model("CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"), "implementer 0x41 part 0xd0c");
    }

    #[test]
    fn what_a_control_group_grants_is_read() {
        assert_eq!(granted("50000 100000", None), Some(0.5));
        assert_eq!(granted("250000", Some("100000")), Some(2.5));
        assert_eq!((granted("max 100000", None), granted("-1", Some("100000")), granted("", None)), (None, None, None));
    }

    #[test]
    fn what_is_doubtful_is_said() {
        let host =
            Host { allowed: vec![0, 1], governor: Some("powersave".into()), quota: Some(1.5), ..Host::default() };
        let said =
            |threads| host.warnings(threads).iter().filter(|&w| *w != Warning::Debug).cloned().collect::<Vec<_>>();
        let governor = Warning::Governor("powersave".into());
        assert!(said(1).iter().eq([&governor]));
        let crowded = Warning::Crowded { threads: 4, processors: 2 };
        assert_eq!(said(4), [crowded, Warning::Quota(1.5), governor]);
        assert!(Warning::Busy(0.375).to_string().contains("38 %"));
    }

    #[test]
    fn a_moment_is_too_short_to_call_the_host_busy() {
        assert_eq!(Load::now().warnings_since(), []);
    }
}
