//! Templates for models that bring none: known by the control tokens of their vocabulary.
//!
//! A model's own template always goes first. Adding a family is one row. Of line ends at the end of a template the
//! last is not written.

/// How one family of models sees a conversation.
struct Family {
    /// The control tokens it is known by.
    controls: &'static [&'static str],
    template: &'static str,
}

const FAMILIES: [Family; 8] = [
    // ChatML: Qwen, SmolLM, Yi and many others.
    Family {
        controls: &["<|im_start|>", "<|im_end|>"],
        template: "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
                   <|im_start|>assistant\n\n",
    },
    // Llama 3.
    Family {
        controls: &["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
        template: "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n\
                   {{ m.content }}<|eot_id|>{% endfor %}<|start_header_id|>assistant<|end_header_id|>\n\n\n",
    },
    // Gemma has no system turn: what the system says stands before the first turn of the user.
    Family {
        controls: &["<start_of_turn>", "<end_of_turn>"],
        template: "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}\
                   {{ raise_exception('no system turn') }}{% endif %}\
                   <start_of_turn>{{ 'model' if m.role == 'assistant' else 'user' }}\n\
                   {{ m.content | trim }}<end_of_turn>\n{% endfor %}<start_of_turn>model\n\n",
    },
    // Phi 3 and 4.
    Family {
        controls: &["<|user|>", "<|assistant|>", "<|end|>"],
        template: "{% for m in messages %}{{ '<|' ~ m.role ~ '|>\n' ~ m.content }}<|end|>\n{% endfor %}<|assistant|>\n\n",
    },
    // Mistral from 7B v0.3 on.
    Family {
        controls: &["[INST]", "[/INST]"],
        template: "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}\
                   {{ raise_exception('no system turn') }}{% endif %}\
                   {% if m.role == 'assistant' %} {{ m.content }}{{ eos_token }}\
                   {% else %}[INST] {{ m.content }}[/INST]{% endif %}{% endfor %}",
    },
    // DeepSeek 2, 3 and R1.
    Family {
        controls: &["<｜User｜>", "<｜Assistant｜>"],
        template: "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}\
                   {% elif m.role == 'assistant' %}<｜Assistant｜>{{ m.content }}{{ eos_token }}\
                   {% else %}<｜User｜>{{ m.content }}{% endif %}{% endfor %}<｜Assistant｜>",
    },
    // Granite 3.
    Family {
        controls: &["<|start_of_role|>", "<|end_of_role|>"],
        template: "{% for m in messages %}<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}<|end_of_text|>\n\
                   {% endfor %}<|start_of_role|>assistant<|end_of_role|>",
    },
    // Zephyr and its like.
    Family {
        controls: &["<|system|>", "<|user|>", "<|assistant|>"],
        template: "{% for m in messages %}{{ '<|' ~ m.role ~ '|>\n' ~ m.content }}{{ eos_token }}\n{% endfor %}\
                   <|assistant|>\n\n",
    },
];

/// Llama 2 and the first Mistral know their turns by plain text, and are known by their architecture alone.
const TURNS_IN_BRACKETS: &str = "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}\
    {{ raise_exception('no system turn') }}{% endif %}{% if m.role == 'assistant' %} {{ m.content }} {{ eos_token }}\
    {% else %}{{ '' if loop.first else bos_token }}[INST] {{ m.content }} [/INST]{% endif %}{% endfor %}";

/// The template of a family, by what the vocabulary has.
pub(crate) fn template(has_control: impl Fn(&str) -> bool, architecture: &str) -> Option<&'static str> {
    let found = FAMILIES.iter().find(|family| family.controls.iter().all(|name| has_control(name)));
    let by_name = matches!(architecture, "llama" | "mistral") && has_control("<s>") && has_control("</s>");
    found.map(|family| family.template).or(by_name.then_some(TURNS_IN_BRACKETS))
}
