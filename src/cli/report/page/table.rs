//! Tables: every cell has a text, and a number if it is sorted by one.

use crate::cli::units;

/// A longer table is collapsed, as it would push everything else down.
const LONG: usize = 40;

/// A table.
#[derive(Default)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// The totals below the rows; empty if there are none.
    pub(super) sums: Vec<Cell>,
    /// The note below it.
    pub(super) more: String,
    /// Whether it is collapsed.
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
    /// Smaller text below.
    pub(super) note: String,
    /// A badge beside the text.
    pub(super) tag: &'static str,
    /// The sort key.
    pub(super) number: Option<u64>,
    /// The length of a bar, in percent.
    pub(super) bar: Option<u64>,
    /// Whether it is bad news.
    pub(super) is_bad: bool,
    /// Whether it must not wrap.
    pub(super) is_whole: bool,
    /// Whether it is unimportant.
    pub(super) is_dim: bool,
    /// Whether its number is a size.
    pub(super) is_size: bool,
}

impl Cell {
    /// Returns a cell with a server's text.
    pub(super) fn text(text: &str) -> Self {
        Self {
            text: super::shown(text),
            ..Self::default()
        }
    }

    /// Returns a cell with a day, such as `2011-03-26`.
    pub(super) fn day(text: &str) -> Self {
        Self {
            is_whole: true,
            ..Self::text(text)
        }
    }

    /// Returns a cell with a number.
    pub(super) fn count(n: u64) -> Self {
        Self {
            text: units::count(n),
            number: Some(n),
            is_dim: n == 0,
            ..Self::default()
        }
    }

    /// Returns a cell with a size.
    pub(super) fn bytes(n: u64) -> Self {
        Self {
            text: units::bytes(n),
            is_size: true,
            ..Self::count(n)
        }
    }

    /// Returns a cell with a number that should be 0.
    pub(super) fn bad(n: u64) -> Self {
        Self {
            is_bad: n > 0,
            ..Self::count(n)
        }
    }

    /// Returns a cell for an unknown value.
    pub(super) fn unknown() -> Self {
        Self {
            text: "–".to_owned(),
            is_dim: true,
            ..Self::default()
        }
    }

    /// Adds a bar, relative to the largest number.
    pub(super) fn of(self, largest: u64) -> Self {
        let percent = |n: u64| (u128::from(n) * 100).div_ceil(u128::from(largest.max(1)));
        Self {
            bar: self
                .number
                .map(|n| u64::try_from(percent(n)).unwrap_or(100).min(100)),
            ..self
        }
    }

    /// Adds a note.
    pub(super) fn with_note(self, note: &str) -> Self {
        Self {
            note: super::shown(note),
            ..self
        }
    }
}

impl Table {
    /// Returns an empty table with these columns; the marked ones have numbers.
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

    /// Removes the columns with these titles.
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

    /// Removes columns that have only zeros, except those to be kept.
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

    /// Adds a row of totals, if there is more than one row. `noun` names a row, if it has a name.
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

    /// Reports whether it scrolls in its own area.
    pub(super) fn is_long(&self) -> bool {
        self.rows.len() > LONG
    }

    /// Adds a note about the number of further rows.
    pub(super) fn with_more(self, more: u64, noun: &str) -> Self {
        let text = if more == 0 {
            String::new()
        } else {
            format!("{} more, not listed.", units::counted(more, noun))
        };
        Self { more: text, ..self }
    }
}
