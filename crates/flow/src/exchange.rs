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
    /// Samples of this interval.
    pub(crate) app_response: Delay,
    /// Samples of this interval.
    pub(crate) load_trans: Delay,
}

impl Exchange {
    /// The initiator sent data.
    #[inline]
    pub(crate) fn request(&mut self, now: Timestamp) {
        self.close();
        self.asked = now;
    }

    /// The other end sent data. Before any request there is nothing to measure.
    #[inline]
    pub(crate) fn response(&mut self, now: Timestamp) {
        if self.first != NEVER {
            self.last = now;
        } else if self.asked != NEVER {
            self.app_response.add(now.since(self.asked));
            (self.first, self.last) = (now, now);
        }
    }

    /// The answer is complete, if there is one.
    #[inline]
    pub(crate) fn close(&mut self) {
        if self.first != NEVER {
            self.load_trans.add(self.last.since(self.first));
            self.first = NEVER;
        }
    }

    /// A new interval begins.
    pub(crate) fn clear(&mut self) {
        self.app_response = Delay::default();
        self.load_trans = Delay::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_measured_from_the_last_of_the_request() {
        let t = |n| Timestamp(n);
        let mut x = Exchange::default();
        x.response(t(5)); // a greeting: nobody asked
        x.request(t(10));
        x.request(t(20));
        x.response(t(50));
        x.response(t(90));
        x.request(t(100));
        x.response(t(101));
        x.close();
        assert_eq!((x.app_response.cnt, x.app_response.sum, x.app_response.max), (2, 31, 30));
        assert_eq!((x.load_trans.cnt, x.load_trans.sum), (2, 40));
    }
}
