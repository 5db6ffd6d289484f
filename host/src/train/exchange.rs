//! Threads that add up what each of them has.

use super::group::{GroupError, share};
use std::ops::AddAssign;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Where threads meet, each at its seat, as many times as they like. Whoever leaves while others wait, or is waited for later,
/// makes that an error for them.
pub(super) struct Exchange<T> {
    table: Mutex<Table<T>>,
    full: Condvar,
}

/// What every seat has brought.
type Brought<T> = Arc<Vec<Arc<Vec<T>>>>;

struct Table<T> {
    /// By seat, for the meeting at hand.
    parts: Vec<Option<Arc<Vec<T>>>>,
    /// Meetings so far, and what was brought to the last one: the next can't be full before all have taken it.
    meetings: u64,
    last: Brought<T>,
    gone: Option<String>,
}

impl<T: Copy + AddAssign> Exchange<T> {
    pub fn new(seats: usize) -> Self {
        let table = Table { parts: vec![None; seats], meetings: 0, last: Arc::default(), gone: None };
        Exchange { table: Mutex::new(table), full: Condvar::new() }
    }

    /// Element by element the sum over all seats: that of seat 0, plus that of seat 1, and so on, whoever comes first, so
    /// that every seat gets the same bits each time. Each adds up its share of the elements; takes O(values) words a seat.
    ///
    /// # Errors
    /// [`GroupError`] if another seat is left, or has other elements.
    pub fn sum(&self, seat: usize, values: &mut [T]) -> Result<(), GroupError> {
        let all = self.meet(seat, values.to_vec())?;
        if all.iter().any(|part| part.len() != values.len()) {
            return Err(GroupError { reason: "the devices don't add up the same tensors".into() });
        }
        let own = share(values.len(), seat, all.len());
        let mut terms = all.iter().map(|part| &part[own.clone()]);
        let mut sum = terms.next().unwrap_or_default().to_vec();
        for term in terms {
            sum.iter_mut().zip(term).for_each(|(sum, term)| *sum += *term);
        }
        drop(all);
        let sums = self.meet(seat, sum)?;
        let all = sums.iter().flat_map(|part| part.iter());
        values.iter_mut().zip(all).for_each(|(value, sum)| *value = *sum);
        Ok(())
    }

    /// Brings something and waits for what the others bring.
    fn meet(&self, seat: usize, part: Vec<T>) -> Result<Brought<T>, GroupError> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let this = table.meetings;
        table.parts[seat] = Some(Arc::new(part));
        if table.parts.iter().all(Option::is_some) {
            table.last = Arc::new(table.parts.iter_mut().filter_map(Option::take).collect());
            table.meetings += 1;
            self.full.notify_all();
        }
        let waits = |table: &mut Table<T>| table.meetings == this && table.gone.is_none();
        let table = self.full.wait_while(table, waits).unwrap_or_else(PoisonError::into_inner);
        match table.gone.as_ref().filter(|_| table.meetings == this) {
            Some(name) => Err(GroupError { reason: format!("{name} has ended") }),
            None => Ok(table.last.clone()),
        }
    }

    /// Says that `who` comes no more.
    pub fn leave(&self, who: &str) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.gone.get_or_insert_with(|| who.into());
        self.full.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::thread;

    /// What each of the seats gets for what it has, after so many meetings with other numbers.
    fn sums(own: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let exchange = Exchange::new(own.len());
        let sum = |seat: usize| {
            for round in 0..50 {
                let mut values = vec![(seat + round) as f32];
                exchange.sum(seat, &mut values).unwrap();
                let expected: usize = (0..own.len()).map(|seat| seat + round).sum();
                assert_eq!(values, [expected as f32]);
            }
            let mut values = own[seat].clone();
            exchange.sum(seat, &mut values).unwrap();
            values
        };
        thread::scope(|scope| {
            let seats: Vec<_> = (0..own.len()).map(|seat| scope.spawn(move || sum(seat))).collect();
            seats.into_iter().map(|seat| seat.join().unwrap()).collect()
        })
    }

    #[test]
    fn sums_are_taken_in_the_order_of_seats() {
        // (1e8 + 1) - 1e8 is 0 in f32, where 1e8 has neighbours 8 apart; (1e8 - 1e8) + 1 is 1.
        let own = [vec![1e8, 1e8, 0.5, 7.0], vec![1.0, -1e8, 0.25, -7.0], vec![-1e8, 1.0, 0.125, 1.0]];
        assert_eq!(sums(&own), vec![vec![0.0, 1.0, 0.875, 1.0]; 3]);
        // Fewer elements than seats, and none.
        assert_eq!(sums(&[vec![2.0], vec![3.0], vec![4.0]]), vec![vec![9.0]; 3]);
        assert_eq!(sums(&[vec![], vec![]]), [[0.0; 0]; 2]);
    }

    #[test]
    fn a_seat_that_is_left_ends_the_wait() {
        let exchange = Exchange::<f64>::new(3);
        let (sender, told) = channel();
        thread::scope(|scope| {
            for seat in [0, 2] {
                let (exchange, sender) = (&exchange, sender.clone());
                scope.spawn(move || sender.send(exchange.sum(seat, &mut [1.0])));
            }
            // Before they wait or while they do.
            exchange.leave("device 2 (cpu)");
            for _ in 0..2 {
                let said = told.recv_timeout(std::time::Duration::from_secs(20)).expect("they wait for ever");
                assert_eq!(said, Err(GroupError { reason: "device 2 (cpu) has ended".into() }));
            }
        });
        // And for those who come later.
        assert!(exchange.sum(0, &mut [1.0]).is_err());
    }

    #[test]
    fn other_elements_are_an_error_for_all() {
        let exchange = Exchange::new(2);
        thread::scope(|scope| {
            let other = scope.spawn(|| exchange.sum(1, &mut [1.0, 2.0]));
            assert!(exchange.sum(0, &mut [1.0]).is_err() && other.join().unwrap().is_err());
        });
    }
}
