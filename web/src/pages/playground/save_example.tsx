// A conversation, up to one answer, as a training example; the answer can be mended first, so that the example shows what
// the model should have said.
import { useState } from "preact/hooks";
import { Button } from "../../kit/button";
import { TextField } from "../../kit/field";
import { toast } from "../../kit/toast";
import { examples, setExamples } from "./kept";

export function SaveExample({ messages, answer, onClose }: { messages: { role: string; content: string }[]; answer: string; onClose: () => void }) {
    const [text, setText] = useState(answer);
    function save() {
        setExamples([...examples.value, { messages: [...messages, { role: "assistant", content: text }] }]);
        toast(`Saved: ${examples.value.length} in all.`);
        onClose();
    }
    return (
        <>
            <div class="dialog-body">
                {messages.map((message, index) => (
                    <p key={index} class="example-line">
                        <span class={`role ${message.role}`}>{message.role}</span>
                        {message.content}
                    </p>
                ))}
                <TextField label="Answer, as it should be" rows={8} value={text} onInput={setText} autoFocus />
            </div>
            <footer class="dialog-foot">
                <Button onPress={onClose}>Cancel</Button>
                <Button kind="primary" icon="save" onPress={save} disabled={!text.trim()}>
                    Save example
                </Button>
            </footer>
        </>
    );
}
