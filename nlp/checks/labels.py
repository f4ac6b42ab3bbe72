"""What budgets, expenditure, totals and rates are called, in clauses and above columns."""

from __future__ import annotations

import re
from decimal import Decimal

FULL_MARKS = Decimal(100)
MARKS_FOR_RATE = Decimal(10)  # 财预〔2020〕10号: the rate of execution gives ten points of a hundred
# Names of rows and heads of columns; of several heads the one that is meant for sure stands first.
TOTAL_ROW = re.compile(r"(?:合计|总计|共计|总分|总得分|总分合计|合\s计|总\s计)(?:[（(].*[）)])?")
POINTS_HEADS = ("分值", "满分", "标准分", "权重分", "分数")
SCORE_HEADS = ("得分", "自评得分", "自评分", "评分", "评价得分")
RATE_HEAD = re.compile(r"(?:执行|支付|支出|拨付|到位|使用)(?:率|进度|比例)")
ACTUAL_HEADS = ("实际完成值", "全年实际完成值", "完成值", "实际值", "实际完成", "完成情况", "全年完成值", "执行率")
# Names of amounts in a clause.
SPENT_NAME = re.compile(r"支出|支付|执行|使用|拨付|决算|发放|投入|列支")
_BUDGET_NAME = re.compile(r"预算|安排|下达|批复|计划|概算|总投资|指标|应到位|合同")


def names_budget(clause: str) -> bool:
    """Return whether the words before an amount say that it is a budget."""
    return bool(_BUDGET_NAME.search(clause)) and not re.search(
        r"(?:支出|支付|执行|使用|决算)(?:数|金额|资金|额)?(?:为|共)?$", clause
    )


def names_spending(clause: str) -> bool:
    """Return whether the words before an amount say that it was spent."""
    return bool(SPENT_NAME.search(clause) or "到位" in clause) and not re.search(
        r"预算(?:数|金额|安排|资金)?(?:为|共)?$|应到位", clause
    )
