//! What a replica's answer proves. No input and no output: positions and times are arguments.
//!
//! A replica that has replayed what the primary had written at a moment holds everything that was acknowledged before
//! that moment. Both run the same history only if cluster and timeline are the same.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Moments that are remembered at most.
const SAMPLES_MAX: usize = 64;
/// How many moments within the bound are remembered, for a replica that is always a little behind.
const SAMPLES_IN_BOUND: u32 = 32;

/// The longest header of a page of the write-ahead log. With the shorter one, of 24 bytes, no record fits before it.
const PAGE_HEADER_MAX: i64 = 40;

/// Which history a server writes or follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct History {
    /// The identifier of the cluster.
    pub(super) system: i64,
    /// The timeline.
    pub(super) timeline: i64,
}

/// How far the primary was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// A moment before it was asked.
    pub(super) at: Instant,
    /// Where it wrote next.
    pub(super) position: i64,
    /// The size of a page of its log.
    pub(super) page: i64,
    pub(super) history: History,
}

/// What a replica says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standby {
    pub(super) in_recovery: bool,
    /// When it was started.
    pub(super) started_us: i64,
    /// How far it has replayed.
    pub(super) replayed: Option<i64>,
    pub(super) history: History,
}

/// Why a replica answers no reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It takes writes itself.
    NotInRecovery,
    /// It replays nothing.
    NothingReplayed,
    /// It belongs to another cluster.
    OtherSystem,
    /// It is not known to be on the primary's timeline.
    OtherTimeline { primary: i64, replica: i64 },
    /// It has what the primary never wrote.
    Ahead,
    /// It could not be proven to be within the bound.
    Behind(Duration),
    /// It cannot be asked, or a request found it so.
    Failed(String),
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotInRecovery => f.write_str("it is not in recovery: a server of its own, or promoted"),
            Self::NothingReplayed => f.write_str("it does not say what it has replayed"),
            Self::OtherSystem => f.write_str("it belongs to another cluster than the primary"),
            Self::OtherTimeline { primary, replica } => write!(
                f,
                "it is on timeline {replica} and the primary on {primary}; after a failover a replica shows its new \
                 timeline from its next restart point on, which CHECKPOINT makes at once"
            ),
            Self::Ahead => f.write_str("it is ahead of the primary, so it has another history"),
            Self::Behind(bound) => write!(f, "it is not proven to be within {} ms", bound.as_millis()),
            Self::Failed(message) => f.write_str(message),
        }
    }
}

/// What was seen of the primary, and what one replica was found to be.
#[derive(Debug)]
pub(super) struct Judge {
    /// How far apart the moments are that are remembered.
    spacing: Duration,
    samples: VecDeque<Sample>,
    /// The last answer of the replica, and a moment after it.
    last: Option<(Instant, Standby)>,
    /// The replica that was started at this moment has another history.
    diverged: Option<i64>,
}

impl Judge {
    pub(super) fn new(bound: Duration) -> Self {
        let spacing = bound / SAMPLES_IN_BOUND;
        Self { spacing, samples: VecDeque::new(), last: None, diverged: None }
    }

    /// Takes note of a look at the primary.
    pub(super) fn note(&mut self, sample: Sample) {
        // What was proven against another primary stays so; what is to be proven is this one's history.
        self.samples.retain(|known| known.history == sample.history);
        let mut newest = self.samples.iter().rev().map(|sample| sample.at);
        if let (Some(last), Some(before)) = (newest.next(), newest.next())
            && last.saturating_duration_since(before) < self.spacing
        {
            self.samples.pop_back();
        }
        self.samples.push_back(sample);
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
        let Some((answered, standby)) = self.last else { return };
        let ahead = standby.replayed.is_some_and(|replayed| replayed > sample.position);
        if ahead && answered <= sample.at && standby.history == sample.history {
            self.diverged = Some(standby.started_us);
        }
    }

    /// The newest moment whose acknowledged changes the replica is proven to hold, if any of those that are known.
    /// `answered` is a moment after its answer.
    pub(super) fn judge(&mut self, standby: Standby, answered: Instant) -> Result<Option<Instant>, Cause> {
        self.last = Some((answered, standby));
        if !standby.in_recovery {
            return Err(Cause::NotInRecovery);
        }
        let Some(latest) = self.samples.back() else { return Ok(None) };
        let (primary, replica) = (latest.history, standby.history);
        if primary.system != replica.system {
            return Err(Cause::OtherSystem);
        }
        if primary.timeline != replica.timeline {
            return Err(Cause::OtherTimeline { primary: primary.timeline, replica: replica.timeline });
        }
        if self.diverged == Some(standby.started_us) {
            return Err(Cause::Ahead);
        }
        let Some(replayed) = standby.replayed else { return Err(Cause::NothingReplayed) };
        let proven = self.samples.iter().rev().find(|sample| holds(replayed, sample));
        Ok(proven.map(|sample| sample.at))
    }
}

/// Whether all that was written is replayed. Behind the last record of a page the primary names the place after the
/// next page's header, where no record can end.
fn holds(replayed: i64, written: &Sample) -> bool {
    let behind = written.position - replayed;
    behind <= 0 || (replayed % written.page == 0 && behind <= PAGE_HEADER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: i64 = 8192;
    const HERE: History = History { system: 7, timeline: 1 };

    fn standby(replayed: i64) -> Standby {
        Standby { in_recovery: true, started_us: 1, replayed: Some(replayed), history: HERE }
    }

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    fn sample(at: Instant, position: i64) -> Sample {
        Sample { at, position, page: PAGE, history: HERE }
    }

    /// A judge that saw the primary at these positions, one each 10 ms from `start` on.
    fn judge(start: Instant, positions: &[i64]) -> Judge {
        let mut judge = Judge::new(Duration::from_millis(100));
        for (number, position) in (0..).zip(positions) {
            judge.note(sample(after(start, number * 10), *position));
        }
        judge
    }

    #[test]
    fn other_servers_than_a_standby_of_the_primary_are_refused() {
        let start = Instant::now();
        let mut judge = judge(start, &[100]);
        let mut refused = |standby| judge.judge(standby, start).unwrap_err();
        assert_eq!(refused(Standby { in_recovery: false, ..standby(200) }), Cause::NotInRecovery);
        assert_eq!(refused(Standby { replayed: None, ..standby(200) }), Cause::NothingReplayed);
        let other = Standby { history: History { system: 8, ..HERE }, ..standby(200) };
        assert_eq!(refused(other), Cause::OtherSystem);
        let other = Standby { history: History { timeline: 2, ..HERE }, ..standby(200) };
        assert_eq!(refused(other), Cause::OtherTimeline { primary: 1, replica: 2 });
    }

    #[test]
    fn a_replica_is_as_new_as_the_last_position_that_it_has() {
        let start = Instant::now();
        let mut judge = judge(start, &[100, 200, 300]);
        let mut proven = |replayed| judge.judge(standby(replayed), after(start, 30)).unwrap();
        assert_eq!(proven(99), None);
        assert_eq!(proven(100), Some(start));
        assert_eq!(proven(299), Some(after(start, 10)));
        assert_eq!(proven(300), Some(after(start, 20)));
        // It went on while the answer came.
        assert_eq!(proven(900), Some(after(start, 20)));
    }

    #[test]
    fn nothing_is_proven_before_the_primary_was_seen() {
        let mut judge = Judge::new(Duration::from_millis(100));
        assert_eq!(judge.judge(standby(900), Instant::now()), Ok(None));
    }

    #[test]
    fn a_replica_that_is_always_behind_is_proven_within_a_long_bound() {
        let start = Instant::now();
        let mut judge = Judge::new(Duration::from_secs(600));
        for second in 0..1_000 {
            let at = after(start, second * 1_000);
            judge.note(sample(at, i64::try_from(second).unwrap()));
        }
        assert!(judge.samples.len() <= SAMPLES_MAX);
        assert_eq!(judge.judge(standby(999), after(start, 999_000)), Ok(Some(after(start, 999_000))));
        let proven = judge.judge(standby(500), after(start, 999_000)).unwrap().unwrap();
        assert!(proven > after(start, 470_000) && proven <= after(start, 500_000));
    }

    #[test]
    fn an_idle_primary_at_the_start_of_a_page_is_no_lag() {
        let start = Instant::now();
        let proven = |written, replayed| judge(start, &[written]).judge(standby(replayed), start).unwrap();
        assert_eq!(proven(8 * PAGE + 24, 8 * PAGE), Some(start));
        assert_eq!(proven(8 * PAGE + 40, 8 * PAGE), Some(start));
        // A record fits between.
        assert_eq!(proven(8 * PAGE + 48, 8 * PAGE), None);
        assert_eq!(proven(8 * PAGE + 24, 8 * PAGE - 8), None);
        assert_eq!(proven(8 * PAGE + 124, 8 * PAGE + 100), None);
    }

    #[test]
    fn a_replica_ahead_of_its_primary_is_out_until_it_was_started_anew() {
        let start = Instant::now();
        let mut judge = judge(start, &[100]);
        assert_eq!(judge.judge(standby(500), after(start, 5)), Ok(Some(start)));
        judge.note(sample(after(start, 10), 400));
        assert_eq!(judge.judge(standby(500), after(start, 15)), Err(Cause::Ahead));
        // The primary passing it proves nothing.
        judge.note(sample(after(start, 20), 600));
        assert_eq!(judge.judge(standby(700), after(start, 25)), Err(Cause::Ahead));
        let anew = Standby { started_us: 2, ..standby(700) };
        assert_eq!(judge.judge(anew, after(start, 30)), Ok(Some(after(start, 20))));
    }

    #[test]
    fn a_look_that_was_under_way_before_the_answer_does_not_make_a_replica_ahead() {
        let start = Instant::now();
        let mut judge = judge(start, &[100]);
        judge.judge(standby(500), after(start, 20)).unwrap();
        judge.note(sample(after(start, 10), 400));
        assert_eq!(judge.judge(standby(500), after(start, 25)), Ok(Some(after(start, 10))));
    }

    #[test]
    fn positions_of_the_primary_before_prove_nothing_about_the_one_now() {
        let start = Instant::now();
        let mut judge = judge(start, &[100, 200]);
        let promoted = History { timeline: 2, ..HERE };
        judge.note(Sample { history: promoted, ..sample(after(start, 20), 150) });
        // It followed the lost primary further than the one that was promoted.
        let cause = Cause::OtherTimeline { primary: 2, replica: 1 };
        assert_eq!(judge.judge(standby(200), after(start, 30)), Err(cause));
        let followed = Standby { history: promoted, ..standby(140) };
        assert_eq!(judge.judge(followed, after(start, 30)), Ok(None));
        let followed = Standby { history: promoted, ..standby(150) };
        assert_eq!(judge.judge(followed, after(start, 30)), Ok(Some(after(start, 20))));
    }
}
