// The pages: which address shows what, in the order of the side bar.
import type { ComponentType } from "preact";
import type { IconName } from "../kit/icon";
import { Home } from "./home/home";

export interface PageProps {
    /** What the address names. */
    parameters: Record<string, string>;
}

export interface Page {
    /** As router.ts matches it. */
    pattern: string;
    title: string;
    view: ComponentType<PageProps>;
}

export interface Section {
    href: string;
    title: string;
    icon: IconName;
    pages: Page[];
}

export const sections: Section[] = [
    { href: "/", title: "Home", icon: "home", pages: [{ pattern: "/", title: "Home", view: Home }] },
    { href: "/playground", title: "Playground", icon: "playground", pages: [] },
    { href: "/models", title: "Models", icon: "models", pages: [] },
    { href: "/fine-tuning", title: "Fine-tuning", icon: "tuning", pages: [] },
    { href: "/batches", title: "Batches", icon: "batches", pages: [] },
    { href: "/files", title: "Files", icon: "files", pages: [] },
    { href: "/webhooks", title: "Webhooks", icon: "webhooks", pages: [] },
    { href: "/api-keys", title: "API keys", icon: "keys", pages: [] },
    { href: "/usage", title: "Usage", icon: "usage", pages: [] },
];
