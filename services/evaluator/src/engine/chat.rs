//! The model's chat template as prompts need it.

use anneal_model::{ChatTemplate, RenderOptions};

use super::prompts::{Chat, Message};

impl Chat for ChatTemplate {
    fn render(&self, messages: &[Message], generation: bool) -> Result<String, String> {
        let theirs: Vec<anneal_model::Message> = messages
            .iter()
            .map(|message| anneal_model::Message::new(message.role, message.content.as_str()))
            .collect();
        let options = RenderOptions::generation_prompt(generation);
        let mut text = ChatTemplate::render(self, &theirs, &options).map_err(|error| error.to_string())?;
        if !generation && let Some(last) = messages.last() {
            // transformers' `continue_final_message`: what the template puts after the last message is cut.
            let content = last.content.trim();
            let at = text.rfind(content).ok_or("the chat template does not keep the begun answer")?;
            text.truncate(at + content.len());
        }
        Ok(text)
    }
}
