//! Messages of a conversation, with content as a text or as text parts.

use serde_json::Value;

use crate::error::ApiError;

/// The message as the template reads it; parts are joined, since templates of text models print content as it is.
pub(super) fn message(index: usize, value: &Value) -> Result<anneal_model::Message, ApiError> {
    let param = format!("messages[{index}]");
    let fields = value.as_object().ok_or_else(|| ApiError::invalid(&param, "a message is an object"))?;
    let role = fields.get("role").and_then(Value::as_str);
    let role = role.ok_or_else(|| ApiError::invalid(&format!("{param}.role"), "a message has a role"))?;
    if !["system", "developer", "user", "assistant", "tool", "function"].contains(&role) {
        return Err(ApiError::invalid(&format!("{param}.role"), format!("'{role}' is not a role")));
    }
    let content = match fields.get("content") {
        Some(Value::String(text)) => Value::String(text.clone()),
        Some(Value::Array(parts)) => Value::String(joined(&param, parts)?),
        None | Some(Value::Null) if fields.contains_key("tool_calls") => Value::Null,
        _ => {
            return Err(ApiError::invalid(
                &format!("{param}.content"),
                "content is a string or a list of text parts",
            ));
        }
    };
    // Templates know `system`; `developer` is OpenAI's newer name of it.
    let mut message = anneal_model::Message::new(if role == "developer" { "system" } else { role }, "");
    message.content = content;
    for (key, value) in fields.iter().filter(|(key, _)| !["role", "content"].contains(&key.as_str())) {
        message.extra.insert(key.clone(), value.clone());
    }
    Ok(message)
}

fn joined(param: &str, parts: &[Value]) -> Result<String, ApiError> {
    let text = parts.iter().map(|part| match (part.get("type").and_then(Value::as_str), part.get("text")) {
        (Some("text"), Some(Value::String(text))) => Ok(text.as_str()),
        (kind, _) => Err(ApiError::invalid(
            &format!("{param}.content"),
            format!("content parts of type '{}' are not supported; only text is", kind.unwrap_or("unknown")),
        )),
    });
    text.collect()
}
