//! Requests and answers by who sends data when: APP_RESPONSE and LOAD_TRANS_DELAY.

use crate::contract::Delay;
use base::Timestamp;

impl Delay {
    /// Adds a sample in ns.
    #[inline]
    pub(crate) fn add(&mut self, ns: u64) {
        self.cnt = self.cnt.saturating_add(1);
        self.sum = self.sum.saturating_add(ns);
        self.max = self.max.max(ns);
    }

    /// Adds the samples of another.
    pub(crate) fn join(&mut self, other: &Delay) {
        self.cnt = self.cnt.saturating_add(other.cnt);
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }
}

/// No such moment: capture time 0 is not worth more bytes in each flow.
const NEVER: Timestamp = Timestamp(0);

/// The state between a request and the end of its answer.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Exchange {
    /// Last data of a request.
    asked: Timestamp,
    /// First and last data of the answer that is under way.
    first: Timestamp,
    last: Timestamp,
}

/// The samples of this interval: apart, since packets without an answer never touch them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answers {
    pub(crate) app_response: Delay,
    pub(crate) load_trans: Delay,
}

impl Exchange {
    /// The initiator sent data.
    #[inline]
    pub(crate) fn request(&mut self, now: Timestamp, to: &mut Answers) {
        self.close(to);
        self.asked = now;
    }

    /// The other end sent data. Before any request there is nothing to measure.
    #[inline]
    pub(crate) fn response(&mut self, now: Timestamp, to: &mut Answers) {
        if self.first != NEVER {
            self.last = now;
        } else if self.asked != NEVER {
            to.app_response.add(now.since(self.asked));
            (self.first, self.last) = (now, now);
        }
    }

    /// The answer is complete, if there is one.
    #[inline]
    pub(crate) fn close(&mut self, to: &mut Answers) {
        if self.first != NEVER {
            to.load_trans.add(self.last.since(self.first));
            self.first = NEVER;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_measured_from_the_last_of_the_request() {
        let t = |n| Timestamp(n);
        let (mut x, mut to) = (Exchange::default(), Answers::default());
        x.response(t(5), &mut to); // a greeting: nobody asked
        x.request(t(10), &mut to);
        x.request(t(20), &mut to);
        x.response(t(50), &mut to);
        x.response(t(90), &mut to);
        x.request(t(100), &mut to);
        x.response(t(101), &mut to);
        x.close(&mut to);
        assert_eq!((to.app_response.cnt, to.app_response.sum, to.app_response.max), (2, 31, 30));
        assert_eq!((to.load_trans.cnt, to.load_trans.sum), (2, 40));
    }
}
