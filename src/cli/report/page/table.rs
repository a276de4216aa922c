//! Tables: every cell has a text, and a number where it sorts by one.

use crate::cli::units;

/// A table with more rows than this would push everything else away.
const LONG: usize = 40;

/// A table.
#[derive(Default)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// The sums below the rows; empty: there are none.
    pub(super) sums: Vec<Cell>,
    /// What is said below it.
    pub(super) more: String,
    /// Whether it stands behind a line that opens it.
    pub(super) folded: bool,
}

/// A column.
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) is_number: bool,
}

/// A cell.
#[derive(Clone, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    /// What stands below the text, smaller.
    pub(super) note: String,
    /// A word beside the text.
    pub(super) tag: &'static str,
    /// What it sorts by.
    pub(super) number: Option<u64>,
    /// A bar of so many percent.
    pub(super) bar: Option<u64>,
    /// Whether it is about something that went wrong.
    pub(super) is_bad: bool,
    /// Whether it stays on one line.
    pub(super) is_whole: bool,
    /// Whether it is nothing worth reading.
    pub(super) is_dim: bool,
    /// Whether its number is a size.
    pub(super) is_size: bool,
}

impl Cell {
    /// A server's text.
    pub(super) fn text(text: &str) -> Self {
        Self {
            text: super::shown(text),
            ..Self::default()
        }
    }

    /// A day, such as `2011-03-26`.
    pub(super) fn day(text: &str) -> Self {
        Self {
            is_whole: true,
            ..Self::text(text)
        }
    }

    /// A number.
    pub(super) fn count(n: u64) -> Self {
        Self {
            text: units::count(n),
            number: Some(n),
            is_dim: n == 0,
            ..Self::default()
        }
    }

    /// A size.
    pub(super) fn bytes(n: u64) -> Self {
        Self {
            text: units::bytes(n),
            is_size: true,
            ..Self::count(n)
        }
    }

    /// A number that should be nothing.
    pub(super) fn bad(n: u64) -> Self {
        Self {
            is_bad: n > 0,
            ..Self::count(n)
        }
    }

    /// Nothing is known.
    pub(super) fn unknown() -> Self {
        Self {
            text: "–".to_owned(),
            is_dim: true,
            ..Self::default()
        }
    }

    /// The same with a bar that shows it against the largest.
    pub(super) fn of(self, largest: u64) -> Self {
        let percent = |n: u64| (u128::from(n) * 100).div_ceil(u128::from(largest.max(1)));
        Self {
            bar: self
                .number
                .map(|n| u64::try_from(percent(n)).unwrap_or(100).min(100)),
            ..self
        }
    }

    /// The same with a note.
    pub(super) fn with_note(self, note: &str) -> Self {
        Self {
            note: super::shown(note),
            ..self
        }
    }
}

impl Table {
    /// A table with these columns; those marked hold numbers.
    pub(super) fn new(caption: impl Into<String>, columns: &[(&'static str, bool)]) -> Self {
        let columns = columns
            .iter()
            .map(|(title, is_number)| Column {
                title,
                is_number: *is_number,
            })
            .collect();
        Self {
            caption: caption.into(),
            columns,
            ..Self::default()
        }
    }

    /// The same without the columns with these titles.
    pub(super) fn without(mut self, titles: &[&str]) -> Self {
        for at in (0..self.columns.len())
            .rev()
            .filter(|at| titles.contains(&self.columns[*at].title))
            .collect::<Vec<_>>()
        {
            self.columns.remove(at);
            self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
        self
    }

    /// The same without the columns of numbers in which nothing is but nothing, unless they are to
    /// be kept.
    pub(super) fn without_idle_columns(self, kept: &[&str]) -> Self {
        let is_idle = |at: usize| self.rows.iter().all(|row| row[at].number.unwrap_or(0) == 0);
        let columns = self.columns.iter().enumerate();
        let idle: Vec<&str> = columns
            .filter(|(at, column)| {
                column.is_number && is_idle(*at) && !kept.contains(&column.title)
            })
            .map(|(_, column)| column.title)
            .collect();
        self.without(&idle)
    }

    /// The same with a row of sums, where there is more than one row to sum up. `noun` is what a
    /// row is, if that has a name.
    pub(super) fn with_sums(mut self, noun: &str) -> Self {
        if self.rows.len() < 2 {
            return self;
        }
        let sum = |at: usize| {
            let numbers = self.rows.iter().filter_map(|row| row[at].number);
            match numbers.clone().count() {
                0 => Cell::unknown(),
                _ if self.rows.iter().any(|row| row[at].is_size) => Cell::bytes(numbers.sum()),
                _ => Cell::count(numbers.sum()),
            }
        };
        let columns = self.columns.iter().enumerate();
        let mut sums: Vec<Cell> = columns
            .map(|(at, column)| {
                if column.is_number {
                    sum(at)
                } else {
                    Cell::default()
                }
            })
            .collect();
        if let Some(first) = sums.first_mut() {
            first.text = if noun.is_empty() {
                "all".to_owned()
            } else {
                units::counted(self.rows.len() as u64, noun)
            };
        }
        self.sums = sums;
        self
    }

    /// Whether it gets a place of its own to scroll in.
    pub(super) fn is_long(&self) -> bool {
        self.rows.len() > LONG
    }

    /// Says how many more there are than it shows.
    pub(super) fn with_more(self, more: u64, noun: &str) -> Self {
        let text = if more == 0 {
            String::new()
        } else {
            format!("{} more, not listed.", units::counted(more, noun))
        };
        Self { more: text, ..self }
    }
}
