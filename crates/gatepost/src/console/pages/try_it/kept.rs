//! What a person sent before. Tokens and secrets are never in it.

use gatepost_store::catalog::{ConsoleItem, ConsoleItemKind};
use serde::{Deserialize, Serialize};

use super::draft::{CallAs, Draft};
use super::send::Answered;
use crate::app::clock::random_bytes;
use crate::console::Refused;
use crate::console::signed_in::InSchema;

/// How much of a body is kept.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// A request that was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(skip)]
    pub(super) id: u64,
    #[serde(skip)]
    pub(super) at_ms: i64,
    pub(super) method: String,
    pub(super) url: String,
    headers: String,
    body: String,
    /// `nobody`, `client:NAME`, `token`, `secret`.
    call_as: String,
    client_id: String,
    /// 0: there was no answer.
    pub(super) status: u16,
}

impl Kept {
    pub(super) fn of(draft: &Draft, answered: &Answered) -> Self {
        let client_id = match &draft.call_as {
            CallAs::Secret(id) => id.clone(),
            _ => String::new(),
        };
        // A body that carries credentials is that of an OAuth endpoint; a long one is data.
        let private = draft.url.contains("/oauth/") || draft.body.len() > BODY_BYTES_MAX;
        Self {
            method: draft.method.clone(),
            url: without_secrets(&draft.url),
            headers: without_secrets(&draft.headers),
            body: if private { String::new() } else { without_secrets(&draft.body) },
            call_as: draft.call_as.value(),
            client_id,
            status: answered.outcome.as_ref().map_or(0, |got| got.status),
            ..Self::default()
        }
    }

    pub(super) fn draft(&self) -> Draft {
        let call_as = match self.call_as.as_str() {
            "token" => CallAs::Token,
            "secret" => CallAs::Secret(self.client_id.clone()),
            other => {
                other.strip_prefix("client:").map_or(CallAs::Nobody, |name| CallAs::Client(name.to_owned()))
            }
        };
        Draft {
            method: self.method.clone(),
            url: self.url.clone(),
            call_as,
            headers: self.headers.clone(),
            body: self.body.clone(),
            parameters: Vec::new(),
        }
    }
}

/// Tokens and secrets of ours, wherever they stand, and lines whose name says that they hold some.
pub(super) fn without_secrets(text: &str) -> String {
    let mut shown: String = text.to_owned();
    for prefix in ["gp_at_", "gp_cs_"] {
        let mut from = 0;
        while let Some(found) = shown[from..].find(prefix) {
            let start = from + found;
            let rest = &shown[start..];
            let length =
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').unwrap_or(rest.len());
            shown.replace_range(start..start + length, "…");
            from = start + '…'.len_utf8();
        }
    }
    let names = ["api-key", "apikey", "password", "secret", "token"];
    let lines = shown.lines().map(|line| match line.split_once(':') {
        Some((name, _))
            if !name.contains('/') && names.iter().any(|word| name.to_ascii_lowercase().contains(word)) =>
        {
            format!("{name}: …")
        }
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) async fn list(page: &InSchema) -> Result<Vec<Kept>, Refused> {
    let (user, schema) = (page.user.id, page.schema.id);
    let items = page
        .console
        .blocking(move |app| {
            app.store.list_console_items(ConsoleItemKind::TryHistory, Some(user), Some(schema))
        })
        .await?
        .map_err(Refused::failed)?;
    let read = |item: ConsoleItem| {
        let kept: Kept = serde_json::from_str(&item.body).ok()?;
        Some(Kept { id: item.id, at_ms: item.at_ms, ..kept })
    };
    Ok(items.into_iter().filter_map(read).collect())
}

pub(super) async fn keep(page: &InSchema, kept: Kept) -> Result<(), Refused> {
    let body = serde_json::to_string(&kept).map_err(Refused::failed)?;
    if body.len() > ConsoleItem::BODY_BYTES_MAX {
        return Ok(());
    }
    let item = ConsoleItem {
        // Half the range, so that every database keeps it as a number.
        id: u64::from_le_bytes(random_bytes()) >> 1,
        user_id: page.user.id,
        schema_id: page.schema.id,
        kind: ConsoleItemKind::TryHistory,
        name: String::new(),
        at_ms: page.console.app().clock.now_ms(),
        body,
    };
    let put = page.console.blocking(move |app| app.store.put_console_item(&item));
    put.await?.map_err(Refused::failed)
}

pub(super) async fn forget(page: &InSchema) -> Result<(), Refused> {
    let ids: Vec<u64> = list(page).await?.into_iter().map(|kept| kept.id).collect();
    let user = page.user.id;
    page.console
        .blocking(move |app| {
            ids.into_iter().try_for_each(|id| app.store.delete_console_item(user, id).map(|_| ()))
        })
        .await?
        .map_err(Refused::failed)
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn nothing_secret_is_kept() {
        let kept =
            without_secrets("X-Note: gp_at_AbC-_9, x\nX-Api-Key: abc\nAccept: text/csv\n{\"a\":\"gp_cs_q\"}");
        assert_eq!(kept, "X-Note: …, x\nX-Api-Key: …\nAccept: text/csv\n{\"a\":\"…\"}");
        let url = "http://127.0.0.1:8080/ords/hr/x?access=gp_at_zzz&b=1";
        assert_eq!(without_secrets(url), "http://127.0.0.1:8080/ords/hr/x?access=…&b=1");
    }
}
