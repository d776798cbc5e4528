//! What a thread spends on being woken, on a datagram and on a frame: least
//! squares over several shapes of load, nothing below zero.

/// One shape, for each request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) wakes: f64,
    pub(super) datagrams: f64,
    pub(super) cpu_us: f64,
}

/// Microseconds of a core.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub(super) struct Turn {
    /// To wait for something and to be woken.
    pub(super) wake_us: f64,
    /// A datagram that comes with requests, and the one that takes the answers.
    pub(super) datagram_us: f64,
    /// A request in it.
    pub(super) frame_us: f64,
}

/// The costs that come nearest to all shapes, each by its relative error.
pub(super) fn turn(shapes: &[Seen]) -> Turn {
    let mut free = [true; 3];
    loop {
        let costs = solve(shapes, free);
        let worst = (0..3)
            .filter(|place| costs[*place] < 0.0)
            .min_by(|a, b| costs[*a].total_cmp(&costs[*b]));
        match worst {
            Some(place) => free[place] = false,
            None => {
                let [wake_us, datagram_us, frame_us] = costs;
                return Turn {
                    wake_us,
                    datagram_us,
                    frame_us,
                };
            }
        }
    }
}

/// The normal equations, by elimination; what is not free is zero.
fn solve(shapes: &[Seen], free: [bool; 3]) -> [f64; 3] {
    let mut rows = [[0.0; 4]; 3];
    for shape in shapes {
        let weight = 1.0 / shape.cpu_us.max(1e-9).powi(2);
        let factors = [shape.wakes, shape.datagrams, 1.0];
        for (row, one) in rows.iter_mut().zip(factors) {
            for (cell, other) in row.iter_mut().zip(factors) {
                *cell += weight * one * other;
            }
            row[3] += weight * one * shape.cpu_us;
        }
    }
    for place in 0..3 {
        if !free[place] {
            rows[place] = [0.0; 4];
            rows.iter_mut().for_each(|row| row[place] = 0.0);
            rows[place][place] = 1.0;
        }
    }
    for place in 0..3 {
        let pivot = rows[place];
        if pivot[place].abs() < 1e-12 {
            continue;
        }
        for other in (0..3).filter(|other| *other != place) {
            let factor = rows[other][place] / pivot[place];
            for (cell, by) in rows[other].iter_mut().zip(pivot) {
                *cell -= factor * by;
            }
        }
    }
    let one = |place: usize| match rows[place][place].abs() < 1e-12 {
        true => 0.0,
        false => rows[place][3] / rows[place][place],
    };
    [one(0), one(1), one(2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(wakes: f64, datagrams: f64, costs: [f64; 3]) -> Seen {
        Seen {
            wakes,
            datagrams,
            cpu_us: wakes * costs[0] + datagrams * costs[1] + costs[2],
        }
    }

    const SHAPES: [(f64, f64); 5] = [
        (1.0, 1.0),
        (0.25, 0.35),
        (0.08, 0.28),
        (0.0, 1.0),
        (0.0, 0.08),
    ];

    #[test]
    fn costs_that_made_the_shapes_are_found_again() {
        let shapes = SHAPES.map(|(wakes, datagrams)| seen(wakes, datagrams, [44.0, 7.0, 0.5]));
        let turn = turn(&shapes);
        for (found, made) in [
            (turn.wake_us, 44.0),
            (turn.datagram_us, 7.0),
            (turn.frame_us, 0.5),
        ] {
            assert!((found - made).abs() < 1e-6, "{turn:?}");
        }
    }

    #[test]
    fn nothing_costs_less_than_nothing() {
        let shapes = SHAPES.map(|(wakes, datagrams)| seen(wakes, datagrams, [44.0, 7.0, -0.4]));
        let turn = turn(&shapes);
        assert_eq!(turn.frame_us, 0.0);
        assert!(turn.wake_us > 40.0 && turn.datagram_us > 0.0, "{turn:?}");
    }
}
