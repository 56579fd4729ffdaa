// The pages: which address shows what, in the order of the side bar.
import type { ComponentType } from "preact";
import type { IconName } from "../kit/icon";
import { ApiKeys } from "./api_keys/api_keys";
import { BatchPage } from "./batches/batch_page";
import { Batches } from "./batches/batches";
import { FilePage } from "./files/file_page";
import { Files } from "./files/files";
import { Compare } from "./fine_tuning/compare";
import { CreateJob } from "./fine_tuning/create";
import { JobPage } from "./fine_tuning/job_page";
import { Jobs } from "./fine_tuning/jobs";
import { Home } from "./home/home";
import { ModelPage } from "./models/model_page";
import { Models } from "./models/models";
import { Playground } from "./playground/playground";
import { Usage } from "./usage/usage";
import { EndpointPage } from "./webhooks/endpoint_page";
import { Webhooks } from "./webhooks/webhooks";

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
    { href: "/playground", title: "Playground", icon: "playground", pages: [{ pattern: "/playground", title: "Playground", view: Playground }] },
    { href: "/models", title: "Models", icon: "models", pages: [{ pattern: "/models", title: "Models", view: Models }, { pattern: "/models/:model*", title: "Model", view: ModelPage }] },
    { href: "/fine-tuning", title: "Fine-tuning", icon: "tuning", pages: [
            { pattern: "/fine-tuning", title: "Fine-tuning", view: Jobs },
            { pattern: "/fine-tuning/new", title: "New job", view: CreateJob },
            { pattern: "/fine-tuning/compare", title: "Compare jobs", view: Compare },
            { pattern: "/fine-tuning/:job", title: "Job", view: JobPage },
        ] },
    { href: "/batches", title: "Batches", icon: "batches", pages: [{ pattern: "/batches", title: "Batches", view: Batches }, { pattern: "/batches/:batch", title: "Batch", view: BatchPage }] },
    { href: "/files", title: "Files", icon: "files", pages: [{ pattern: "/files", title: "Files", view: Files }, { pattern: "/files/:file", title: "File", view: FilePage }] },
    { href: "/webhooks", title: "Webhooks", icon: "webhooks", pages: [{ pattern: "/webhooks", title: "Webhooks", view: Webhooks }, { pattern: "/webhooks/:endpoint", title: "Webhook endpoint", view: EndpointPage }] },
    { href: "/api-keys", title: "API keys", icon: "keys", pages: [{ pattern: "/api-keys", title: "API keys", view: ApiKeys }] },
    { href: "/usage", title: "Usage", icon: "usage", pages: [{ pattern: "/usage", title: "Usage", view: Usage }] },
];
