"""Texts to try, written for cytotag in the manner of abstracts. What they report is made up."""

EXAMPLE_TEXTS = (
    (
        "T-cell activation",
        "Calcineurin is needed for IL-2 induction in activated T lymphocytes.\n"
        "Stimulation of Jurkat cells with phorbol ester and ionomycin raised IL-2 mRNA within two hours. "
        "Cyclosporin A abolished this response and kept NF-AT in the cytoplasm, whereas the binding of AP-1 and "
        "NF-kappa B to the IL-2 promoter was unchanged. A constitutively active form of calcineurin restored "
        "transcription. We conclude that dephosphorylation of NF-AT is the step that limits expression of the IL-2 "
        "gene in peripheral blood T cells.",
    ),
    (
        "Globin switching",
        "GATA-1 and the beta-globin locus control region in erythroid cells.\n"
        "We examined the occupancy of hypersensitive site 2 in K562 cells before and after treatment with hemin. "
        "GATA-1 and NF-E2 bound the core enhancer in vivo; deletion of the tandem AP-1-like sites reduced the "
        "activity of a linked epsilon-globin promoter tenfold. Gamma-globin mRNA rose while GATA-2 transcripts "
        "fell. The data suggest that both factors act together on the locus control region in erythroid "
        "progenitors.",
    ),
    (
        "Glucocorticoids",
        "Dexamethasone lowers cytokine expression in human monocytes.\n"
        "Peripheral blood monocytes and THP-1 cells were exposed to lipopolysaccharide with or without "
        "dexamethasone. The hormone reduced TNF-alpha and IL-1 beta mRNA by 70 % and the secretion of both "
        "proteins by 85 %. Activated glucocorticoid receptor associated with the p65 subunit of NF-kappa B; levels "
        "of I kappa B alpha did not change in the first hour. A mutant receptor that cannot dimerize repressed "
        "just as well.",
    ),
    (
        "HIV-1 latency (long)",
        "Signals that reactivate latent human immunodeficiency virus type 1 in monocytic and lymphoid cells "
        "converge on the viral long terminal repeat.\n"
        "BACKGROUND: Latent provirus in resting CD4+ T cells and in cells of the monocyte lineage persists under "
        "therapy. Its transcription depends on host factors that bind the long terminal repeat (LTR), foremost "
        "NF-kappa B and Sp1, and on the viral transactivator Tat, which recruits the positive elongation factor "
        "P-TEFb to the TAR element. Which of these is limiting in which cell is not settled.\n"
        "METHODS: We compared the chronically infected promonocytic line U1 with the T-cell line ACH-2, and with "
        "resting CD4+ T lymphocytes of eight donors that were infected in vitro. Cells were stimulated with "
        "TNF-alpha, phorbol myristate acetate, IL-6 or granulocyte-macrophage colony-stimulating factor (GM-CSF). "
        "Nuclear extracts were tested by electrophoretic mobility shift assay with probes of the tandem kappa B "
        "sites and of the Sp1 motifs, and unspliced and multiply spliced viral RNA was measured by RNase "
        "protection.\n"
        "RESULTS: TNF-alpha induced p50/p65 heterodimers within 15 minutes in both lines, and full-length viral "
        "transcripts after four hours. In U1 cells, IL-6 raised the level of p24 antigen without any change of "
        "NF-kappa B activity; a mutation of the C/EBP sites of the LTR abolished this effect, and antisense "
        "oligonucleotides against NF-IL6 mRNA reduced it by half. Protein kinase C inhibitors blocked the response "
        "to phorbol ester but not to TNF-alpha. In primary T cells, cyclin T1 protein was hardly detectable before "
        "activation through the T-cell receptor and CD28; expression of the cyclin T1 gene from a retroviral "
        "vector allowed Tat to act on an integrated LTR reporter gene although the cells remained at rest. "
        "Overexpression of I kappa B alpha prevented reactivation in ACH-2 cells.\n"
        "CONCLUSIONS: NF-kappa B is needed in lymphoid cells and can be dispensed with in promonocytes, where "
        "members of the C/EBP family take its place. In resting CD4+ T cells the availability of P-TEFb sets a "
        "second threshold.",
    ),
)
"""Title and text of each."""
