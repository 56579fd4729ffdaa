// Several views of one thing, one at a time.
import { Tab, TabList, TabPanel, TabProvider } from "@ariakit/react";
import type { ComponentChildren } from "preact";

export interface TabView {
    id: string;
    title: ComponentChildren;
    view: () => ComponentChildren;
}

export function Tabs({ label, tabs, selected, onSelect }: { label: string; tabs: TabView[]; selected: string; onSelect: (id: string) => void }) {
    return (
        <TabProvider selectedId={selected} setSelectedId={(id) => id && onSelect(id)}>
            <TabList class="tabs" aria-label={label}>
                {tabs.map((tab) => (
                    <Tab key={tab.id} id={tab.id} class="tab">
                        {tab.title}
                    </Tab>
                ))}
            </TabList>
            {tabs.map((tab) => (
                <TabPanel key={tab.id} tabId={tab.id} class="tab-panel" unmountOnHide>
                    {tab.id === selected && tab.view()}
                </TabPanel>
            ))}
        </TabProvider>
    );
}
