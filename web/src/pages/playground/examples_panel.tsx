// Examples that were saved from conversations: a training file in the making.
import { changed } from "../../api/live";
import { uploadFile } from "../../api/upload";
import { Button, IconButton } from "../../kit/button";
import { confirm } from "../../kit/dialog";
import { count } from "../../kit/format";
import { Empty } from "../../kit/show";
import { navigate } from "../../router";
import { examples, examplesFile, setExamples } from "./kept";

const ENOUGH = 10;

async function remove(index: number) {
    const text = "It is kept in this browser alone, and is gone then.";
    if (await confirm({ title: `Remove example ${index + 1}?`, text, action: "Remove", danger: true })) setExamples(examples.value.filter((_, at) => at !== index));
}

async function upload() {
    const file = await uploadFile(examplesFile(), "fine-tune");
    changed("/v1/files");
    navigate(`/fine-tuning/new?training_file=${file.id}`);
}

function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(examplesFile());
    link.download = "from-the-playground.jsonl";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

export function ExamplesPanel() {
    const list = examples.value;
    if (!list.length)
        return (
            <Empty icon="save" title="No examples yet">
                When an answer is as it should be, or you have mended it, save it with the button below it. Ten examples and more make a training file.
            </Empty>
        );
    return (
        <div class="saved-examples">
            <ol>
                {list.map((example, index) => (
                    <li key={index}>
                        <div>
                            {example.messages.map((message, at) => (
                                <p key={at}>
                                    <span class={`role ${message.role}`}>{message.role}</span>
                                    {message.content.length > 300 ? message.content.slice(0, 300) + "…" : message.content}
                                </p>
                            ))}
                        </div>
                        <IconButton icon="remove" label={`Remove example ${index + 1}`} onPress={() => remove(index)} />
                    </li>
                ))}
            </ol>
            <div class="tools">
                <Button kind="primary" icon="upload" onPress={upload} disabled={list.length < ENOUGH}>
                    Use for fine-tuning
                </Button>
                <Button icon="download" onPress={download}>
                    Download
                </Button>
                {list.length < ENOUGH && <small>{count(ENOUGH - list.length)} more make a training file.</small>}
            </div>
        </div>
    );
}
