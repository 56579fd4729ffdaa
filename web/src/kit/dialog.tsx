// Dialogs, and the question before what cannot be undone.
import { Dialog as AriakitDialog, DialogDismiss, DialogHeading } from "@ariakit/react";
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Button } from "./button";
import { Icon } from "./icon";

export function Dialog({ open, title, onClose, children, wide }: { open: boolean; title: string; onClose: () => void; children: ComponentChildren; wide?: boolean }) {
    return (
        <AriakitDialog open={open} onClose={onClose} unmountOnHide preventBodyScroll={false} backdrop={<div class="backdrop" />} class={`dialog ${wide ? "wide" : ""}`}>
            <header class="dialog-head">
                <DialogHeading class="dialog-title">{title}</DialogHeading>
                <DialogDismiss class="button quiet small" aria-label="Close">
                    <Icon name="close" />
                </DialogDismiss>
            </header>
            {children}
        </AriakitDialog>
    );
}

interface Question {
    title: string;
    text: ComponentChildren;
    action: string;
    danger?: boolean;
}

const asked = signal<(Question & { answer: (yes: boolean) => void }) | null>(null);

/** Asks before something is done; resolves to whether it is to be done. */
export function confirm(question: Question): Promise<boolean> {
    return new Promise((resolve) => {
        asked.value = {
            ...question,
            answer(yes) {
                asked.value = null;
                resolve(yes);
            },
        };
    });
}

export function Questions() {
    const question = asked.value;
    return (
        <Dialog open={question !== null} title={question?.title ?? ""} onClose={() => question?.answer(false)}>
            <div class="dialog-body">{question?.text}</div>
            <footer class="dialog-foot">
                <Button onPress={() => question?.answer(false)}>Keep</Button>
                <Button kind={question?.danger ? "danger" : "primary"} onPress={() => question?.answer(true)}>
                    {question?.action}
                </Button>
            </footer>
        </Dialog>
    );
}
