//! The generated part of `LEDGER.md`, and the README's sentence.

use super::{CLASSES, Fault, Sandbox, out_of_reach};
use runner::spec::policy::{Network, Tier};
use std::fmt::Write;

/// What comes before this line of the page is written by hand.
pub const MARK: &str =
    "<!-- From here on written by `UPDATE_EXPECT=1 cargo test --test isolation -- ledger`. -->\n";

const TIERS: [Tier; 2] = [Tier::Namespaces, Tier::Landlock];

pub fn generated() -> String {
    let mut page = String::new();
    shares(&mut page);
    within_reach(&mut page);
    everything(&mut page);
    page
}

/// What the README says.
pub fn sentence() -> String {
    let [namespaces, landlock] = TIERS.map(|tier| {
        let network = Network::None;
        out_of_reach("kernel", Sandbox { tier, network })
    });
    format!(
        "Of {} faults of the kernel that let programs out of containers between 2016 and 2026, {} are out of reach in the namespaces tier and {} in the landlock tier",
        namespaces.1,
        share(namespaces),
        share(landlock)
    )
}

/// Rounded down.
fn share((out, all): (usize, usize)) -> String {
    format!("{out} ({} %)", out * 100 / all)
}

fn name(network: Network) -> &'static str {
    match network {
        Network::None => "none",
        Network::Loopback => "loopback",
        Network::Host => "host",
    }
}

fn title(tier: Tier) -> &'static str {
    match tier {
        Tier::Namespaces => "namespaces",
        Tier::Landlock => "landlock",
    }
}

fn shares(page: &mut String) {
    page.push_str("\n## How many are out of reach\n\n| tier | `network` |");
    for class in CLASSES {
        let (_, all) = out_of_reach(class, Sandbox::of(Tier::Namespaces)[0]);
        write!(page, " of {all}: {class} |").unwrap();
    }
    page.push_str("\n|---|---|---|---|---|---|\n");
    for sandbox in TIERS.into_iter().flat_map(Sandbox::of) {
        let (tier, network) = (title(sandbox.tier), name(sandbox.network));
        write!(page, "| {tier} | `{network}` |").unwrap();
        for class in CLASSES {
            write!(page, " {} |", share(out_of_reach(class, sandbox))).unwrap();
        }
        page.push('\n');
    }
}

fn within_reach(page: &mut String) {
    page.push_str("\n## Those within reach, and what limits them\n\n");
    for fault in Fault::all() {
        let reached = TIERS.map(|tier| reached(&fault, tier));
        if reached.iter().all(Option::is_none) {
            continue;
        }
        let tiers: Vec<String> = TIERS
            .into_iter()
            .zip(reached)
            .filter_map(|(tier, networks)| networks.map(|n| format!("{}{n}", title(tier))))
            .collect();
        let Fault {
            id, place, text, ..
        } = fault;
        let tiers = tiers.join("; ");
        writeln!(page, "- **{id}** ({place}; {tiers}): {text}").unwrap();
    }
}

/// In which networks of a tier a fault is reached, when it is.
fn reached(fault: &Fault, tier: Tier) -> Option<String> {
    let all = Sandbox::of(tier);
    let reached: Vec<&str> = all
        .iter()
        .filter(|sandbox| fault.lacking(**sandbox).is_none())
        .map(|sandbox| name(sandbox.network))
        .collect();
    match reached.len() {
        0 => None,
        n if n == all.len() => Some(String::new()),
        _ => Some(format!(" with `{}`", reached.join("`, `"))),
    }
}

fn everything(page: &mut String) {
    page.push_str("\n## All of them\n\n| fault | where | what it takes | namespaces | landlock | |\n|---|---|---|---|---|---|\n");
    for fault in Fault::all() {
        let Fault {
            id,
            place,
            takes,
            text,
            ..
        } = fault;
        let [namespaces, landlock] = TIERS.map(|tier| verdict(&fault, tier));
        let takes = takes.replace(" and ", "` and `").replace(" or ", "`, or `");
        writeln!(
            page,
            "| {id} | {place} | `{takes}` | {namespaces} | {landlock} | {text} |"
        )
        .unwrap();
    }
}

/// Whether a fault is reached in a tier and, where it is not, what is lacking whatever the network is.
fn verdict(fault: &Fault, tier: Tier) -> String {
    let reached = reached(fault, tier);
    let sandboxes = Sandbox::of(tier);
    // Of the sandbox with the most rights among those that lack something.
    let lacking = sandboxes.into_iter().rev().find_map(|s| fault.lacking(s));
    let Some(lacking) = lacking else {
        return "**within reach**".into();
    };
    // In the order in which the ledger names them, each word once.
    let mut words: Vec<&str> = Vec::new();
    for need in super::needs::all(fault.takes).filter(|n| lacking.contains(n)) {
        let word = plain(need.split_once(' ').map_or(need, |(word, _)| word));
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let no = format!("no: {}", words.join(", "));
    match reached {
        None => no,
        Some(networks) => format!("{no}; **within reach**{networks}"),
    }
}

/// The words of a cell.
fn plain(word: &str) -> &str {
    match word {
        "absent" => "not in use here",
        "host-setup" => "set-up",
        "read" | "write" => "file",
        "setsockopt" => "option",
        _ => word,
    }
}
