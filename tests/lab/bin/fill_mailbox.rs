//! Fills an account on loopback: `fill-mailbox --port P --user U [--count 3000] [--seed 1]` with
//! realistic mail in many folders, `--folder NAME` with small messages in that one, `--flag UIDS`
//! marks messages of it instead, `--folders N` makes N folders with a small message each.
//!
//! Prints what it did in one line.

#![expect(clippy::print_stdout, reason = "a tool says what it did")]

#[expect(dead_code, reason = "a tool uses its own part of the lab")]
#[path = "../mod.rs"]
mod lab;

use clap::Parser;
use lab::client::{Client, NewMessage};
use lab::servers::{Account, PASSWORD};
use std::time::Instant;

/// Fills an account on a loopback IMAP server.
#[derive(Parser)]
struct Arguments {
    /// Plain port on 127.0.0.1.
    #[arg(long)]
    port: u16,
    #[arg(long)]
    user: String,
    #[arg(long, default_value_t = 3000)]
    count: usize,
    /// The same seed gives the same mail.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Small messages go into this folder.
    #[arg(long)]
    folder: Option<String>,
    /// Nothing is added, but these messages of the folder get `\\Flagged`.
    #[arg(long, requires = "folder")]
    flag: Option<String>,
    /// So many folders get a small message each.
    #[arg(long, conflicts_with_all = ["folder", "count"])]
    folders: Option<usize>,
}

fn main() {
    let Arguments {
        port,
        user,
        count,
        seed,
        folder,
        flag,
        folders,
    } = Arguments::parse();
    let account = Account {
        port,
        tls_port: 0,
        user,
        password: PASSWORD.to_owned(),
        ca: "".into(),
    };
    let mut client = Client::login(&account);
    let start = Instant::now();
    if let Some(folders) = folders {
        for number in 0..folders {
            let name = format!("Folder {number:04}");
            client.create(&[&name]);
            client.append(&[&name], std::iter::once(small(seed, number)));
        }
        println!(
            "{folders} folders with a message each, {:.1} s",
            start.elapsed().as_secs_f64()
        );
        return;
    }
    let (folders, bytes) = match (folder, flag) {
        (None, _) => {
            let mailbox = lab::generator::mailbox(seed, count);
            (mailbox.folders.len(), client.fill(&mailbox))
        }
        (Some(folder), None) => {
            if folder != "INBOX" {
                client.create(&[&folder]);
            }
            (
                1,
                client.append(&[&folder], (0..count).map(|number| small(seed, number))),
            )
        }
        (Some(folder), Some(uids)) => {
            client.select(&[&folder]);
            client.store(&uids, "+FLAGS", "\\Flagged");
            println!("marked {uids} in {folder}");
            return;
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{count} messages in {folders} folders, {:.1} MB, {seconds:.1} s",
        bytes as f64 / 1e6
    );
}

/// A message of about 400 bytes that is like no other, nor has the date of any of 35 seeds in a
/// row.
fn small(seed: u64, number: usize) -> NewMessage {
    let (day, hour, minute, second) = (
        number / 86_400 % 28 + 1,
        number / 3_600 % 24,
        number / 60 % 60,
        number % 60,
    );
    let (year, time) = (
        1990 + seed % 35,
        format!("{hour:02}:{minute:02}:{second:02}"),
    );
    let text = format!(
        "From: Ann <ann@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: letter {number} of {seed}\r\n\
         Date: {day} Mar {year} {time} +0000\r\nMessage-ID: <{number}.{seed}@scale.example.org>\r\n\r\n\
         This is letter {number}, and there is not much in it but these two lines of text,\r\n\
         which make it as long as the short answers are that people send to each other.\r\n"
    );
    let date = Some(format!("{day:02}-Mar-{year} {time} +0000"));
    NewMessage {
        flags: vec!["\\Seen".to_owned()],
        date,
        bytes: text.into_bytes(),
    }
}
